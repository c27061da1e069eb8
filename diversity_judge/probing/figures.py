"""The figures of a judge's reliability, as PNG and SVG: scores of the controls, retest and order, and the variance.

Drawn without `pyplot`, like all figures, and with the same care for strangers' names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diversity_judge.drawing.axes import ShownFigure, drawable, plain_text, save_figure, style_axes
from diversity_judge.drawing.look import SCORE_COLOURS
from diversity_judge.errors import RunError
from diversity_judge.probing.counts import LARGEST, control_counts, order_counts, retest_flips, run_counts
from diversity_judge.probing.result import Reliability
from diversity_judge.rubric import SCORES

FIGURES = "figures"
FORMATS = ("png", "svg")
DPI = 150
_GREY = "#777777"
_BLUE = "#0072b2"
_JUDGE_LENGTH = 110
_DARK_FROM = 0.55
_BRIGHT_FROM = 4
"""From this score on viridis is bright, so that a number on it must be dark."""
_LEAST_SHOWN = 0.06
"""A smaller share has no room for its number."""


def save_figures(found: Reliability, folder: Path) -> Path:
    """Draw what was asked.

    Args:
        found: What the probes found.
        folder: Of the outputs; figures go below it.

    Returns:
        The folder of the figures.

    Raises:
        RunError: a file cannot be written.
    """
    try:
        for name, draw in FIGURE_MAKERS.items():
            figure = draw(found)
            if figure is not None:
                for extension in FORMATS:
                    save_figure(figure, folder / FIGURES / f"{name}.{extension}", dpi=DPI)
    except OSError as error:
        raise RunError(f"{folder}: cannot write the figures: {error}") from error
    return folder / FIGURES


def picture_files() -> list[str]:
    """What `save_figures` may write, by path below the folder."""
    return [f"{FIGURES}/{name}.{extension}" for name in FIGURE_MAKERS for extension in FORMATS]


def controls_figure(found: Reliability) -> Figure | None:
    """Which scores each control got, beside those of the drawn pairs."""
    counts = {"drawn pairs": run_counts(found), **control_counts(found)}
    if len(counts) == 1:
        return None
    figure = ShownFigure(figsize=(8.0, 1.6 + 0.42 * len(counts)), layout="constrained")
    axes = figure.subplots()
    style_axes(axes)
    axes.grid(visible=False)
    for place, row in enumerate(counts.values()):
        _stack(axes, place, row / row.sum())
    labels = [f"{name.removeprefix('control-')} (n = {row.sum():,})" for name, row in counts.items()]
    axes.set_yticks(range(len(counts)), labels, **plain_text(9))
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the judgments", fontsize=9)
    handles = [axes.barh([-5], [0], color=colour) for colour in SCORE_COLOURS]
    axes.legend(
        handles, [str(s) for s in SCORES], title="score", ncols=6, loc="lower right", bbox_to_anchor=(1, 1), fontsize=8,
        frameon=False, title_fontsize=8,
    )  # fmt: skip
    return _titled(figure, found, "Scores where the answer is known")


def _stack(axes: Axes, place: int, shares: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    left = 0.0
    for score, share in enumerate(shares.tolist()):
        axes.barh(place, share, left=left, color=SCORE_COLOURS[score], height=0.72, edgecolor="white", linewidth=0.8)
        if share >= _LEAST_SHOWN:
            colour = "black" if score >= _BRIGHT_FROM else "white"
            axes.text(left + share / 2, place, str(score), ha="center", va="center", color=colour, **plain_text(8))
        left += share


def retest_and_order(found: Reliability) -> Figure | None:
    """How often a later draw differs, and what the other order does."""
    again, turned = retest_flips(found), order_counts(found)
    parts: list[Callable[[Axes], None]] = []
    if again is not None:
        parts.append(lambda axes: _draw_flips(axes, again))
    if turned is not None:
        parts.append(lambda axes: _draw_order(axes, turned))
    if not parts:
        return None
    figure = ShownFigure(figsize=(1.2 + 4.2 * len(parts), 4.6), layout="constrained")
    for axes, draw in zip(np.atleast_1d(figure.subplots(1, len(parts))), parts, strict=True):
        draw(axes)
    return _titled(figure, found, "The same pair asked again")


def _draw_flips(axes: Axes, counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = counts / totals
    axes.imshow(shares, cmap=colormaps["Blues"], vmin=0, vmax=1, origin="lower", interpolation="nearest")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] >= _DARK_FROM else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, **plain_text(8))
    axes.set_xticks(SCORES)
    axes.set_yticks(SCORES)
    axes.tick_params(length=2, labelsize=9)
    axes.spines[:].set_color("#cccccc")
    axes.set_xlabel("score of a later draw", fontsize=9)
    axes.set_ylabel("score of a draw", fontsize=9)
    axes.set_title("retest: pairs of draws", loc="left", **plain_text(9.5))


def _draw_order(axes: Axes, counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
    style_axes(axes)
    places = np.arange(-LARGEST, LARGEST + 1)
    axes.bar(places, counts, color=_BLUE, width=0.8)
    axes.axvline(0, color=_GREY, linewidth=1)
    axes.set_xticks(places)
    axes.set_xlabel("score with the longer text first minus with it second", fontsize=9)
    axes.set_ylabel("pairs", fontsize=9)
    axes.set_title("order: pairs in both orders", loc="left", **plain_text(9.5))


def variance_figure(found: Reliability) -> Figure | None:
    """Standard deviations of what a score varies with."""
    known = [c for c in found.precision.components.all if np.isfinite(c.variance)]
    if not known:
        return None
    figure = ShownFigure(figsize=(7.0, 1.5 + 0.4 * len(known)), layout="constrained")
    axes = figure.subplots()
    style_axes(axes)
    for place, component in enumerate(known):
        axes.barh(place, component.sd, color=_BLUE, alpha=0.75, height=0.6)
        if np.isfinite(component.ci_low):
            ends = np.sqrt([max(0.0, component.ci_low), component.ci_high])
            axes.plot(ends, [place, place], color="black", linewidth=1.4, marker="|", markersize=7)
    labels = [component.name.replace("_", " ") for component in known]
    axes.set_yticks(range(len(known)), labels, **plain_text(9))
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("standard deviation in points of 0..5, with 95 % interval", fontsize=9)
    return _titled(figure, found, "What a score varies with")


def _titled(figure: Figure, found: Reliability, title: str) -> Figure:
    figure.suptitle(title, **plain_text(12))
    figure.supxlabel(f"judge: {drawable(found.judge, _JUDGE_LENGTH)}", color=_GREY, **plain_text(8))
    return figure


FIGURE_MAKERS: Mapping[str, Callable[[Reliability], Figure | None]] = {
    "controls": controls_figure,
    "retest_and_order": retest_and_order,
    "variance": variance_figure,
}
"""Name of the file to the figure; None where nothing of it was asked."""
