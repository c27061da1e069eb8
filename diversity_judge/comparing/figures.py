"""The figures of a comparison, as PNG and SVG: each says what it shows, of how many problems, with which interval.

Drawn without `pyplot`, like the heat maps, and with the same care for strangers' names. A strategy keeps its colour
and its marker through all figures, so that they can be read beside each other, also without colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, ScalarFormatter

from diversity_judge.comparing.files import FIGURES, HEATMAPS
from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.outcome_table import TIERS, PanelBar, panel_bars
from diversity_judge.comparing.panels import (
    BAND,
    GREY,
    NAME_LENGTH,
    dashed,
    empty_figure,
    grid_of,
    legend_beside,
    point,
    spread,
    strategy_look,
    tier_note,
    titled,
)
from diversity_judge.comparing.payoff import Gain, gains
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, DifferenceRow, OutcomeRow
from diversity_judge.comparing.verification_figures import aggregate_curves, verification_curves
from diversity_judge.display import counted
from diversity_judge.drawing.axes import drawable, plain_text, save_figure
from diversity_judge.drawing.heatmaps import Heatmap, problem_heatmaps
from diversity_judge.drawing.swarm import swarm
from diversity_judge.errors import RunError
from diversity_judge.text_safety import slugs
from diversity_judge.wording import p_value

FORMATS = ("png", "svg")
DPI = 150
_DODGE = 0.16
_DOT = 0.035
"""Width of a problem's dot, as a share of the place of a strategy."""


def save_figures(comparison: Comparison, folder: Path, *, heatmaps: bool = True) -> Path:
    """Draw what the comparison has data for.

    Args:
        comparison: What was found.
        folder: The comparison's folder; figures go below it.
        heatmaps: Whether to draw the heat maps too, one figure a problem.

    Returns:
        The folder of the figures.

    Raises:
        RunError: a file cannot be written.
    """
    drawn = {name: draw(comparison) for name, draw in FIGURE_MAKERS.items()}
    try:
        for name, figure in drawn.items():
            if figure is not None:
                _save(figure, folder / FIGURES / name)
        if heatmaps:
            names = slugs(comparison.problems)
            for problem_id in comparison.problems:
                maps = problem_maps(comparison, problem_id)
                if maps:
                    figure = problem_heatmaps(maps, judge="; ".join(comparison.judges))
                    _save(figure, folder / HEATMAPS / names[problem_id])
    except OSError as error:
        raise RunError(f"{folder}: cannot write the figures: {error}") from error
    return folder / FIGURES


def picture_files(comparison: Comparison, *, heatmaps: bool = True) -> list[str]:
    """What `save_figures` may write, by path below the comparison's folder."""
    names = [f"{FIGURES}/{name}" for name in FIGURE_MAKERS]
    if heatmaps:
        names += [f"{HEATMAPS}/{name}" for name in slugs(comparison.problems).values()]
    return [f"{name}.{extension}" for name in names for extension in FORMATS]


def strategy_diversity(comparison: Comparison) -> Figure | None:
    """Diversity of each strategy: every problem a dot, the mean and its interval beside them."""
    rows = comparison.process.where(metric="diversity")
    if not rows:
        return None
    figure, (axes,) = empty_figure(1, width=1.6 + 0.9 * len(rows))
    for place, row in enumerate(rows):
        colour, marker = strategy_look(comparison, row.strategy)
        values = [
            g.process.diversity.value for g in comparison.groups if g.strategy == row.strategy and g.process is not None
        ]
        offsets = swarm(values, width=0.02, most=5)
        dots = [place - _DODGE + _DOT * offset for offset in offsets]
        axes.plot(dots, values, "o", color=colour, alpha=0.45, markersize=3.5, mew=0)
        point(axes, place + _DODGE, row.value, (row.ci_low, row.ci_high), colour, marker)
    _names_below(axes, [row.strategy for row in rows], [row.n_problems for row in rows])
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("process diversity")
    return titled(
        figure, comparison, "Process diversity of each strategy", "dots: problems; marks: mean with 95 % interval"
    )


def strategy_differences(comparison: Comparison) -> Figure | None:
    """Paired differences in diversity to the baseline, with their intervals."""
    rows = comparison.differences.where(metric="diversity")
    if not rows:
        return None
    figure, (axes,) = empty_figure(1, width=6.0, height=1.4 + 0.45 * len(rows))
    axes.axvline(0, color=GREY, linewidth=1)
    for place, row in enumerate(rows):
        colour, marker = strategy_look(comparison, row.strategy)
        point(axes, row.difference, place, (row.ci_low, row.ci_high), colour, marker, horizontal=True)
    labels = [f"{drawable(r.strategy, NAME_LENGTH)}\n{counted(r.n_problems, 'problem')}, {_p(r)}" for r in rows]
    axes.set_yticks(range(len(rows)), labels, **plain_text(9))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    baseline = drawable(comparison.baseline, NAME_LENGTH)
    axes.set_xlabel(f"difference in process diversity to {baseline}", **plain_text(9))
    note = "paired on the problems that both have; 95 % intervals; p after Holm"
    return titled(figure, comparison, f"More or less diverse than {baseline}", note)


def _p(row: DifferenceRow) -> str:
    return row.verdict if math.isnan(row.p_holm) else p_value(row.p_holm)


def approach_thresholds(comparison: Comparison) -> Figure | None:
    """Number of distinct approaches against the similarity at which two responses are joined."""
    chosen = comparison.options.thresholds.approach
    names = [m.name for m in comparison.metrics if m.name.startswith("approaches")]
    figure, (axes,) = empty_figure(1, width=7.0)
    counts = {}
    for place, strategy in enumerate(comparison.strategies):
        rows = [row for name in names for row in comparison.process.where(strategy=strategy, metric=name)]
        points = sorted((chosen if r.metric == "approaches" else float(r.metric.rpartition("_")[2]), r) for r in rows)
        if points:
            colour, marker = strategy_look(comparison, strategy)
            shift = 0.05 * (place - (len(comparison.strategies) - 1) / 2)
            label = _legend_name(strategy, points[0][1].n_problems)
            axes.plot([t + shift for t, _ in points], [r.value for _, r in points], color=colour, label=label)
            for threshold, row in points:
                point(axes, threshold + shift, row.value, (row.ci_low, row.ci_high), colour, marker)
            counts[strategy] = points
    if not counts:
        return None
    axes.axvline(chosen, color=GREY, linewidth=1, linestyle=":", zorder=0)
    axes.set_xticks(sorted({t for points in counts.values() for t, _ in points}))
    axes.set_xlabel(f"joined at this similarity or more (chosen: {chosen:g})")
    axes.set_ylabel("distinct approaches a problem")
    axes.set_ylim(bottom=0)
    legend_beside(axes)
    return titled(figure, comparison, "Distinct approaches by threshold", "means over problems; 95 % intervals")


def pass_curves(comparison: Comparison) -> Figure | None:
    """pass@n: a panel a strategy with its band and the baseline dashed, a row of panels a tier."""
    rows = comparison.outcomes.where(metric="pass_at_k")
    tiers = [tier for tier in TIERS if any(row.tier == tier for row in rows)]
    strategies = [strategy for strategy in comparison.strategies if any(row.strategy == strategy for row in rows)]
    if not rows:
        return None
    figure, grid = grid_of(len(tiers), len(strategies))
    for line, tier in zip(grid, tiers, strict=True):
        curves = {s: [row for row in rows if row.tier == tier and row.strategy == s] for s in strategies}
        for axes, strategy in zip(line, strategies, strict=True):
            _pass_panel(axes, comparison, curves, strategy)
        line[0].set_ylabel(f"{'all problems' if tier == ALL_TIERS else tier}\npass@n", fontsize=9)
    note = f"unbiased estimate; bands: 95 % over problems{dashed(comparison, strategies)}" + tier_note(comparison)
    return titled(figure, comparison, "Problems solved by at least one of n responses", note, judged=False)


def _pass_panel(axes: Axes, comparison: Comparison, curves: dict[str, list[OutcomeRow]], strategy: str) -> None:
    curve, baseline = curves[strategy], curves.get(comparison.baseline, [])
    if strategy != comparison.baseline:
        axes.plot([row.k for row in baseline], [row.value for row in baseline], "--", color=GREY, linewidth=1.2)
    if curve:
        _curve(axes, comparison, curve)
    sizes = sorted({row.k for members in curves.values() for row in members})
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(spread(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.15)
    axes.set_xlabel("responses n", fontsize=8)
    axes.set_ylim(-0.04, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    n = counted(curve[0].n_problems if curve else 0, "problem")
    axes.set_title(f"{drawable(strategy, NAME_LENGTH)}, {n}", loc="left", **plain_text(9))


def diversity_and_pass(comparison: Comparison) -> Figure | None:
    """Diversity against what more samples bring, pass@k - pass@1: a panel a strategy, every problem a point."""
    k, found = gains(comparison.groups)
    strategies = [s for s in comparison.strategies if any(gain.group.strategy == s for gain in found)]
    if not found:
        return None
    figure, grid = grid_of(1, len(strategies), panel=(2.5, 2.6))
    for axes, strategy in zip(grid[0], strategies, strict=True):
        mine = [gain for gain in found if gain.group.strategy == strategy]
        colour, marker = strategy_look(comparison, strategy)
        for is_hollow in (True, False):
            shown = [gain for gain in mine if gain.has_no_room == is_hollow]
            look: dict[str, Any] = {"markerfacecolor": "none"} if is_hollow else {"mew": 0}
            axes.plot(
                [gain.diversity for gain in shown], _apart(shown), marker, color=colour, alpha=0.6, markersize=5, **look
            )
        axes.set_xlim(-0.04, 1.04)
        axes.set_ylim(-0.12, 1.04)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("process diversity", fontsize=8)
        n = counted(len(mine), "problem")
        axes.set_title(f"{drawable(strategy, NAME_LENGTH)}, {n}", loc="left", **plain_text(9))
    grid[0][0].set_ylabel(f"pass@{k} - pass@1", fontsize=9)
    note = "a point a problem, equal ones moved apart; hollow: nothing to gain, all responses are right or none is"
    return titled(figure, comparison, "Diversity, and what more samples bring", note)


def _apart(found: Sequence[Gain]) -> list[float]:
    """The gains, those that would cover one another moved a little up or down."""
    levels: dict[int, list[int]] = {}
    for place, gain in enumerate(found):
        levels.setdefault(round(gain.value * 20), []).append(place)
    shown = [gain.value for gain in found]
    for places in levels.values():
        offsets = swarm([found[place].diversity for place in places], width=0.035, most=2.5)
        for place, offset in zip(places, offsets, strict=True):
            shown[place] += 0.03 * offset
    return shown


def validation_panel(comparison: Comparison) -> Figure | None:
    """Stability on Correct, Best-of-N on Medium, diversity and pass@N on Hard, as in Chen et al. 2026, section 3.3."""
    bars = panel_bars(comparison.groups, comparison.strategies, comparison.tiers)
    titles = list(dict.fromkeys((bar.tier, bar.title) for bar in bars))
    if not bars:
        return None
    width = 1.0 + max(2.3, 0.75 * len(comparison.strategies)) * len(titles)
    figure, panels = empty_figure(len(titles), width=width, height=4.2)
    for axes, (tier, title) in zip(panels, titles, strict=True):
        _bars(axes, comparison, [bar for bar in bars if (bar.tier, bar.title) == (tier, title)])
        axes.set_title(f"{tier}: {title}", fontsize=10)
        axes.set_ylim(0, 1.05)
    note = "means over problems; 95 % intervals" + tier_note(comparison)
    return titled(figure, comparison, "Three tiers of problems", note)


FIGURE_MAKERS: dict[str, Callable[[Comparison], Figure | None]] = {
    "diversity": strategy_diversity,
    "differences": strategy_differences,
    "approaches": approach_thresholds,
    "pass_curves": pass_curves,
    "verification": verification_curves,
    "aggregates": aggregate_curves,
    "diversity_and_pass": diversity_and_pass,
    "validation_panel": validation_panel,
}
"""File name to figure; a figure without data is None."""


def problem_maps(comparison: Comparison, problem_id: str) -> list[Heatmap]:
    """The heat maps of a problem's judged strategies, in the comparison's order."""
    found = {g.strategy: g for g in comparison.groups if g.problem_id == problem_id and g.process is not None}
    return [_map(found[strategy]) for strategy in comparison.strategies if strategy in found]


def _map(group: GroupMeasures) -> Heatmap:
    matrix = group.member.matrix
    diversity = group.process.diversity if group.process else None
    value, low, high = (diversity.value, diversity.low, diversity.high) if diversity else (math.nan,) * 3
    wanted = matrix.wanted | matrix.wanted.T
    return Heatmap(group.problem_id, group.strategy, matrix.symmetric(), value, low, high, wanted)


def _save(figure: Figure, path: Path) -> None:
    for extension in FORMATS:
        save_figure(figure, path.with_name(f"{path.name}.{extension}"), dpi=DPI)


def _curve(axes: Axes, comparison: Comparison, curve: Sequence[OutcomeRow]) -> None:
    colour, marker = strategy_look(comparison, curve[0].strategy)
    sizes = [row.k for row in curve]
    axes.plot(sizes, [row.value for row in curve], marker=marker, markersize=4, color=colour)
    axes.fill_between(
        sizes, [row.ci_low for row in curve], [row.ci_high for row in curve], color=colour, alpha=BAND, linewidth=0
    )


def _bars(axes: Axes, comparison: Comparison, bars: Sequence[PanelBar]) -> None:
    for place, bar in enumerate(bars):
        colour, _ = strategy_look(comparison, bar.strategy)
        axes.bar([place], [bar.estimate.value], width=0.65, color=colour, alpha=0.75)
        point(axes, place, bar.estimate.value, (bar.estimate.low, bar.estimate.high), "#222222", "")
    axes.set_xlim(-0.6, len(bars) - 0.4)
    _names_below(axes, [bar.strategy for bar in bars], [bar.estimate.n for bar in bars])


def _names_below(axes: Axes, strategies: Sequence[str], counts: Sequence[int]) -> None:
    labels = [f"{drawable(s, NAME_LENGTH)}\n{counted(n, 'problem')}" for s, n in zip(strategies, counts, strict=True)]
    is_long = len(labels) > 3 or max(map(len, strategies)) > 12
    slant: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
    axes.set_xticks(range(len(labels)), labels, **plain_text(8), **slant)


def _legend_name(strategy: str, n: int) -> str:
    return f"{drawable(strategy, NAME_LENGTH)} ({counted(n, 'problem')})"
