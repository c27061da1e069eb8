"""What the figures of a comparison are put together from: empty panels, titles, marks, a strategy's look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diversity_judge.comparing.result import Comparison
from diversity_judge.drawing.axes import ShownFigure, drawable, plain_text, style_axes
from diversity_judge.drawing.look import look_of

NAME_LENGTH = 30
BAND = 0.15
GREY = "#777777"


def empty_figure(n_panels: int, *, width: float, height: float = 4.0) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels beside each other."""
    figure = ShownFigure(figsize=(max(width, 4.8), height), layout="constrained")
    panels = list(figure.subplots(1, n_panels, squeeze=False)[0])
    for axes in panels:
        style_axes(axes)
    return figure, panels


def grid_of(n_rows: int, n_columns: int, panel: tuple[float, float] = (2.4, 2.1)) -> tuple[Figure, list[list[Axes]]]:
    """Rows of small panels with common scales."""
    size = (max(1.0 + panel[0] * n_columns, 5.2), 1.0 + panel[1] * n_rows)
    figure = ShownFigure(figsize=size, layout="constrained")
    grid = [list(row) for row in figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)]
    for axes in (axes for row in grid for axes in row):
        style_axes(axes)
    return figure, grid


def dashed(comparison: Comparison, strategies: Sequence[str]) -> str:
    """What a note says of the dashed line: the baseline, where it is beside others."""
    if comparison.baseline not in strategies or len(strategies) < 2:
        return ""
    return f"; dashed: {drawable(comparison.baseline, NAME_LENGTH)}"


def titled(figure: Figure, comparison: Comparison, title: str, note: str, *, judged: bool = True) -> Figure:
    """The figure with its title, and a note below it that names the judge where one was asked."""
    figure.suptitle(title, **plain_text(12))
    judge = f"\njudge: {drawable('; '.join(comparison.judges), 100)}" if judged and comparison.judges else ""
    figure.supxlabel(f"{note}{judge}", color="#555555", **plain_text(8))
    return figure


def strategy_look(comparison: Comparison, strategy: str) -> tuple[str, str]:
    """Colour and marker of a strategy."""
    look = look_of(comparison.strategies, strategy)
    return look.colour, look.marker


def point(
    axes: Axes,
    x: float,
    y: float,
    interval: tuple[float, float],
    colour: str,
    marker: str,
    *,
    horizontal: bool = False,
) -> None:
    """An estimate and its interval; without an interval (NaN) the mark alone."""
    centre = x if horizontal else y
    low, high = interval
    if math.isnan(low):
        axes.plot([x], [y], marker, color=colour, markersize=6)
        return
    error = [[max(0.0, centre - low)], [max(0.0, high - centre)]]
    bar = {"xerr": error} if horizontal else {"yerr": error}
    axes.errorbar([x], [y], fmt=marker, color=colour, markersize=6, capsize=3, elinewidth=1.4, **bar)  # type: ignore[arg-type]


def spread(sizes: Sequence[int]) -> list[int]:
    """The sizes that get a label: one too near to its larger neighbour (8 beside 10) would overlap it."""
    kept = [size for size, larger in pairwise(sizes) if larger / size > 1.4]
    return [*kept, *sizes[-1:]]


def legend_beside(axes: Axes) -> None:
    """A legend that can lie on nothing: it stands beside the axes."""
    legend = axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for text in legend.get_texts():
        text.set_parse_math(False)


def tier_note(comparison: Comparison) -> str:
    """What a note says of the tiers."""
    if not comparison.tiers:
        return ""
    return f"; tiers from {drawable(comparison.tier_strategy, NAME_LENGTH)}"
