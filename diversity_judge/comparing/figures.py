"""The figures of a comparison, as PNG and SVG: each says what it shows, of how many problems, with which interval.

Drawn without `pyplot`, like the heat maps, and with the same care for strangers' names. A strategy keeps its colour
and its marker through all figures, so that they can be read beside each other, also without colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, ScalarFormatter

from diversity_judge.comparing.files import FIGURES, HEATMAPS
from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.outcome_table import TIERS, PanelBar, panel_bars
from diversity_judge.comparing.payoff import Gain, gains
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, DifferenceRow, OutcomeRow
from diversity_judge.display import counted
from diversity_judge.drawing.axes import ShownFigure, drawable, plain_text, save_figure, style_axes
from diversity_judge.drawing.heatmaps import Heatmap, problem_heatmaps
from diversity_judge.drawing.look import look_of
from diversity_judge.drawing.swarm import swarm
from diversity_judge.errors import RunError
from diversity_judge.text_safety import slugs
from diversity_judge.wording import p_value

FORMATS = ("png", "svg")
DPI = 150
_NAME_LENGTH = 30
_BAND = 0.15
_GREY = "#777777"
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
    figure, (axes,) = _figure(1, width=1.6 + 0.9 * len(rows))
    for place, row in enumerate(rows):
        colour, marker = _look(comparison, row.strategy)
        values = [
            g.process.diversity.value for g in comparison.groups if g.strategy == row.strategy and g.process is not None
        ]
        offsets = swarm(values, width=0.02, most=5)
        dots = [place - _DODGE + _DOT * offset for offset in offsets]
        axes.plot(dots, values, "o", color=colour, alpha=0.45, markersize=3.5, mew=0)
        _point(axes, place + _DODGE, row.value, (row.ci_low, row.ci_high), colour, marker)
    _names_below(axes, [row.strategy for row in rows], [row.n_problems for row in rows])
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("process diversity")
    return _titled(
        figure, comparison, "Process diversity of each strategy", "dots: problems; marks: mean with 95 % interval"
    )


def strategy_differences(comparison: Comparison) -> Figure | None:
    """Paired differences in diversity to the baseline, with their intervals."""
    rows = comparison.differences.where(metric="diversity")
    if not rows:
        return None
    figure, (axes,) = _figure(1, width=6.0, height=1.4 + 0.45 * len(rows))
    axes.axvline(0, color=_GREY, linewidth=1)
    for place, row in enumerate(rows):
        colour, marker = _look(comparison, row.strategy)
        _point(axes, row.difference, place, (row.ci_low, row.ci_high), colour, marker, horizontal=True)
    labels = [f"{drawable(r.strategy, _NAME_LENGTH)}\n{counted(r.n_problems, 'problem')}, {_p(r)}" for r in rows]
    axes.set_yticks(range(len(rows)), labels, **plain_text(9))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    baseline = drawable(comparison.baseline, _NAME_LENGTH)
    axes.set_xlabel(f"difference in process diversity to {baseline}", **plain_text(9))
    note = "paired on the problems that both have; 95 % intervals; p after Holm"
    return _titled(figure, comparison, f"More or less diverse than {baseline}", note)


def _p(row: DifferenceRow) -> str:
    return row.verdict if math.isnan(row.p_holm) else p_value(row.p_holm)


def approach_thresholds(comparison: Comparison) -> Figure | None:
    """Number of distinct approaches against the similarity at which two responses are joined."""
    chosen = comparison.options.thresholds.approach
    names = [m.name for m in comparison.metrics if m.name.startswith("approaches")]
    figure, (axes,) = _figure(1, width=7.0)
    counts = {}
    for place, strategy in enumerate(comparison.strategies):
        rows = [row for name in names for row in comparison.process.where(strategy=strategy, metric=name)]
        points = sorted((chosen if r.metric == "approaches" else float(r.metric.rpartition("_")[2]), r) for r in rows)
        if points:
            colour, marker = _look(comparison, strategy)
            shift = 0.05 * (place - (len(comparison.strategies) - 1) / 2)
            label = _legend_name(strategy, points[0][1].n_problems)
            axes.plot([t + shift for t, _ in points], [r.value for _, r in points], color=colour, label=label)
            for threshold, row in points:
                _point(axes, threshold + shift, row.value, (row.ci_low, row.ci_high), colour, marker)
            counts[strategy] = points
    if not counts:
        return None
    axes.axvline(chosen, color=_GREY, linewidth=1, linestyle=":", zorder=0)
    axes.set_xticks(sorted({t for points in counts.values() for t, _ in points}))
    axes.set_xlabel(f"joined at this similarity or more (chosen: {chosen:g})")
    axes.set_ylabel("distinct approaches a problem")
    axes.set_ylim(bottom=0)
    _legend_beside(axes)
    return _titled(figure, comparison, "Distinct approaches by threshold", "means over problems; 95 % intervals")


def pass_curves(comparison: Comparison) -> Figure | None:
    """pass@n: a panel a strategy with its band and the baseline dashed, a row of panels a tier."""
    rows = comparison.outcomes.where(metric="pass_at_k")
    tiers = [tier for tier in TIERS if any(row.tier == tier for row in rows)]
    strategies = [strategy for strategy in comparison.strategies if any(row.strategy == strategy for row in rows)]
    if not rows:
        return None
    figure, grid = _grid(len(tiers), len(strategies))
    for line, tier in zip(grid, tiers, strict=True):
        curves = {s: [row for row in rows if row.tier == tier and row.strategy == s] for s in strategies}
        for axes, strategy in zip(line, strategies, strict=True):
            _pass_panel(axes, comparison, curves, strategy)
        line[0].set_ylabel(f"{'all problems' if tier == ALL_TIERS else tier}\npass@n", fontsize=9)
    note = f"unbiased estimate; bands: 95 % over problems{_dashed(comparison, strategies)}" + _tier_note(comparison)
    return _titled(figure, comparison, "Problems solved by at least one of n responses", note, judged=False)


def _pass_panel(axes: Axes, comparison: Comparison, curves: dict[str, list[OutcomeRow]], strategy: str) -> None:
    curve, baseline = curves[strategy], curves.get(comparison.baseline, [])
    if strategy != comparison.baseline:
        axes.plot([row.k for row in baseline], [row.value for row in baseline], "--", color=_GREY, linewidth=1.2)
    if curve:
        _curve(axes, comparison, curve)
    sizes = sorted({row.k for members in curves.values() for row in members})
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(_spread(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.15)
    axes.set_xlabel("responses n", fontsize=8)
    axes.set_ylim(-0.04, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    n = counted(curve[0].n_problems if curve else 0, "problem")
    axes.set_title(f"{drawable(strategy, _NAME_LENGTH)}, {n}", loc="left", **plain_text(9))


def diversity_and_pass(comparison: Comparison) -> Figure | None:
    """Diversity against what more samples bring, pass@k - pass@1: a panel a strategy, every problem a point."""
    k, found = gains(comparison.groups)
    strategies = [s for s in comparison.strategies if any(gain.group.strategy == s for gain in found)]
    if not found:
        return None
    figure, grid = _grid(1, len(strategies), panel=(2.5, 2.6))
    for axes, strategy in zip(grid[0], strategies, strict=True):
        mine = [gain for gain in found if gain.group.strategy == strategy]
        colour, marker = _look(comparison, strategy)
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
        axes.set_title(f"{drawable(strategy, _NAME_LENGTH)}, {n}", loc="left", **plain_text(9))
    grid[0][0].set_ylabel(f"pass@{k} - pass@1", fontsize=9)
    note = "a point a problem, equal ones moved apart; hollow: nothing to gain, all responses are right or none is"
    return _titled(figure, comparison, "Diversity, and what more samples bring", note)


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
    figure, panels = _figure(len(titles), width=width, height=4.2)
    for axes, (tier, title) in zip(panels, titles, strict=True):
        _bars(axes, comparison, [bar for bar in bars if (bar.tier, bar.title) == (tier, title)])
        axes.set_title(f"{tier}: {title}", fontsize=10)
        axes.set_ylim(0, 1.05)
    note = "means over problems; 95 % intervals" + _tier_note(comparison)
    return _titled(figure, comparison, "Three tiers of problems", note)


FIGURE_MAKERS: dict[str, Callable[[Comparison], Figure | None]] = {
    "diversity": strategy_diversity,
    "differences": strategy_differences,
    "approaches": approach_thresholds,
    "pass_curves": pass_curves,
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


def _figure(n_panels: int, *, width: float, height: float = 4.0) -> tuple[Figure, list[Axes]]:
    figure = ShownFigure(figsize=(max(width, 4.8), height), layout="constrained")
    panels = list(figure.subplots(1, n_panels, squeeze=False)[0])
    for axes in panels:
        style_axes(axes)
    return figure, panels


def _grid(n_rows: int, n_columns: int, panel: tuple[float, float] = (2.4, 2.1)) -> tuple[Figure, list[list[Axes]]]:
    """Rows of small panels with common scales."""
    size = (max(1.0 + panel[0] * n_columns, 5.2), 1.0 + panel[1] * n_rows)
    figure = ShownFigure(figsize=size, layout="constrained")
    grid = [list(row) for row in figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)]
    for axes in (axes for row in grid for axes in row):
        style_axes(axes)
    return figure, grid


def _dashed(comparison: Comparison, strategies: Sequence[str]) -> str:
    if comparison.baseline not in strategies or len(strategies) < 2:
        return ""
    return f"; dashed: {drawable(comparison.baseline, _NAME_LENGTH)}"


def _titled(figure: Figure, comparison: Comparison, title: str, note: str, *, judged: bool = True) -> Figure:
    figure.suptitle(title, **plain_text(12))
    judge = f"\njudge: {drawable('; '.join(comparison.judges), 100)}" if judged and comparison.judges else ""
    figure.supxlabel(f"{note}{judge}", color="#555555", **plain_text(8))
    return figure


def _look(comparison: Comparison, strategy: str) -> tuple[str, str]:
    look = look_of(comparison.strategies, strategy)
    return look.colour, look.marker


def _point(
    axes: Axes,
    x: float,
    y: float,
    interval: tuple[float, float],
    colour: str,
    marker: str,
    *,
    horizontal: bool = False,
) -> None:
    centre = x if horizontal else y
    low, high = interval
    if math.isnan(low):
        axes.plot([x], [y], marker, color=colour, markersize=6)
        return
    error = [[max(0.0, centre - low)], [max(0.0, high - centre)]]
    bar = {"xerr": error} if horizontal else {"yerr": error}
    axes.errorbar([x], [y], fmt=marker, color=colour, markersize=6, capsize=3, elinewidth=1.4, **bar)  # type: ignore[arg-type]


def _curve(axes: Axes, comparison: Comparison, curve: Sequence[OutcomeRow]) -> None:
    colour, marker = _look(comparison, curve[0].strategy)
    sizes = [row.k for row in curve]
    axes.plot(sizes, [row.value for row in curve], marker=marker, markersize=4, color=colour)
    axes.fill_between(
        sizes, [row.ci_low for row in curve], [row.ci_high for row in curve], color=colour, alpha=_BAND, linewidth=0
    )


def _bars(axes: Axes, comparison: Comparison, bars: Sequence[PanelBar]) -> None:
    for place, bar in enumerate(bars):
        colour, _ = _look(comparison, bar.strategy)
        axes.bar([place], [bar.estimate.value], width=0.65, color=colour, alpha=0.75)
        _point(axes, place, bar.estimate.value, (bar.estimate.low, bar.estimate.high), "#222222", "")
    axes.set_xlim(-0.6, len(bars) - 0.4)
    _names_below(axes, [bar.strategy for bar in bars], [bar.estimate.n for bar in bars])


def _names_below(axes: Axes, strategies: Sequence[str], counts: Sequence[int]) -> None:
    labels = [f"{drawable(s, _NAME_LENGTH)}\n{counted(n, 'problem')}" for s, n in zip(strategies, counts, strict=True)]
    is_long = len(labels) > 3 or max(map(len, strategies)) > 12
    slant: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
    axes.set_xticks(range(len(labels)), labels, **plain_text(8), **slant)


def _spread(sizes: Sequence[int]) -> list[int]:
    """The sizes that get a label: one too near to its larger neighbour (8 beside 10) would overlap it."""
    kept = [size for size, larger in pairwise(sizes) if larger / size > 1.4]
    return [*kept, *sizes[-1:]]


def _legend_name(strategy: str, n: int) -> str:
    return f"{drawable(strategy, _NAME_LENGTH)} ({counted(n, 'problem')})"


def _legend_beside(axes: Axes) -> None:
    """A legend that can lie on nothing: it stands beside the axes."""
    legend = axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for text in legend.get_texts():
        text.set_parse_math(False)


def _tier_note(comparison: Comparison) -> str:
    if not comparison.tiers:
        return ""
    return f"; tiers from {drawable(comparison.tier_strategy, _NAME_LENGTH)}"
