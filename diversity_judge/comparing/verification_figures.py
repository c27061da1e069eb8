"""Verification by number of responses: each way to choose, and what hangs on how steps become one reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, ScalarFormatter

from diversity_judge.comparing.outcome_table import TIERS
from diversity_judge.comparing.panels import (
    GREY,
    NAME_LENGTH,
    grid_of,
    legend_beside,
    spread,
    tier_note,
    titled,
)
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, VerificationRow
from diversity_judge.comparing.verification_table import LABELS, REWARDED, main_reward, rewards_in, shown_curves
from diversity_judge.display import counted
from diversity_judge.drawing.axes import drawable, plain_text
from diversity_judge.drawing.look import look_of
from diversity_judge.measures.outcomes import curve_sizes
from diversity_judge.measures.verification import BEST_OF_N, METHODS, ORACLE, OWN

_BAND = 0.12
_PANEL = (2.6, 2.4)
_LEGEND = 1.8
"""Inches that the legend takes from the panels."""
Curves = Mapping[str, Sequence[VerificationRow]]


def verification_curves(comparison: Comparison) -> Figure | None:
    """Best-of-N, votes and the oracle against n: a panel a strategy, a row of panels a tier."""
    rows = comparison.verification
    reward = main_reward(rows)
    if not reward:
        return None
    strategies = _with_rewards(comparison)
    tiers = [tier for tier in TIERS if any(row.tier == tier and row.reward for row in rows)]
    figure, grid = _grid(len(tiers), len(strategies))
    for line, tier in zip(grid, tiers, strict=True):
        for axes, strategy in zip(line, strategies, strict=True):
            curves = shown_curves(rows, strategy, tier, reward)
            _draw(axes, {LABELS[method]: curve for method, curve in curves.items()}, [LABELS[m] for m in METHODS])
            _name(axes, strategy, next(iter(curves.values()), []))
        line[0].set_ylabel(f"{'all problems' if tier == ALL_TIERS else tier}\nright", fontsize=9)
    legend_beside(grid[0][-1])
    named = "" if reward == OWN else f"; reward: {reward} of the steps"
    note = f"expected over all subsets of n responses\nband: 95 % over problems, of Best-of-N{named}"
    return titled(figure, comparison, "Choosing among n responses", note + tier_note(comparison), judged=False)


def aggregate_curves(comparison: Comparison) -> Figure | None:
    """Best-of-N and weighted votes against n under each aggregate of step rewards; a row of panels a way to choose."""
    rows = comparison.verification
    aggregates = [reward for reward in rewards_in(rows) if reward != OWN]
    if not aggregates:
        return None
    strategies = _with_rewards(comparison)
    figure, grid = _grid(len(REWARDED), len(strategies))
    for line, method in zip(grid, REWARDED, strict=True):
        for axes, strategy in zip(line, strategies, strict=True):
            found = {name: shown_curves(rows, strategy, ALL_TIERS, name).get(method, []) for name in aggregates}
            curves = {name: curve for name, curve in found.items() if curve}
            _draw(axes, curves, aggregates)
            _name(axes, strategy, next(iter(curves.values()), []))
        line[0].set_ylabel(f"{LABELS[method]}\nright", fontsize=9)
    legend_beside(grid[0][-1])
    note = "all problems, expected over all subsets of n responses\nintervals (95 %) are in verification.csv"
    return titled(figure, comparison, "What hangs on how steps become one reward", note, judged=False)


def _grid(n_rows: int, n_columns: int) -> tuple[Figure, list[list[Axes]]]:
    figure, grid = grid_of(n_rows, n_columns, panel=_PANEL)
    figure.set_figwidth(figure.get_figwidth() + _LEGEND)
    return figure, grid


def _with_rewards(comparison: Comparison) -> list[str]:
    scored = {row.strategy for row in comparison.verification if row.reward}
    return [strategy for strategy in comparison.strategies if strategy in scored]


def _draw(axes: Axes, curves: Curves, names: Sequence[str]) -> None:
    """Each curve in the look of its name; marks at 1, 2, 4, ..., the oracle dashed, a band for Best-of-N."""
    for name, curve in curves.items():
        sizes, values = [row.n for row in curve], [row.value for row in curve]
        if name == LABELS[ORACLE]:
            axes.plot(sizes, values, "--", color=GREY, linewidth=1.2, label=name)
            continue
        look = look_of(names, name)
        marked = [place for place, n in enumerate(sizes) if n in curve_sizes(sizes[-1])]
        axes.plot(sizes, values, color=look.colour, marker=look.marker, markevery=marked, markersize=4, label=name)
        if name == LABELS[BEST_OF_N]:
            ends = [row.ci_low for row in curve], [row.ci_high for row in curve]
            axes.fill_between(sizes, *ends, color=look.colour, alpha=_BAND, linewidth=0)
    sizes = sorted({row.n for curve in curves.values() for row in curve}) or [1]
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(spread(curve_sizes(sizes[-1]))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlim(1 / 1.15, sizes[-1] * 1.15)
    axes.set_ylim(-0.04, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def _name(axes: Axes, strategy: str, curve: Sequence[VerificationRow]) -> None:
    n = counted(curve[0].n_problems if curve else 0, "problem")
    axes.set_title(f"{drawable(strategy, NAME_LENGTH)}, {n}", loc="left", **plain_text(9))
    axes.set_xlabel("responses n", fontsize=8)
