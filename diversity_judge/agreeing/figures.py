"""The figure of an agreement: which scores are taken for which, and what that does to the diversities.

Drawn without `pyplot`, like the heat maps, and with the same care for strangers' names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from diversity_judge.agreeing.result import JudgeAgreement
from diversity_judge.drawing.axes import MISSING, ShownFigure, drawable, plain_text, style_axes
from diversity_judge.drawing.axes import save_figure as write_figure
from diversity_judge.drawing.look import look_of
from diversity_judge.errors import RunError
from diversity_judge.measures.agreement import N_SCORES, confusion
from diversity_judge.measures.intervals import Estimate
from diversity_judge.wording import interval

DPI = 150
_SIZE = (10.4, 5.2)
"""Inches."""
_SHARES = "Blues"
"""Other colours than a heat map of similarities has, because a share is none; a cell without pairs stays white."""
_GREY = "#555555"
_LINE = "#888888"
_INSET = 0.025
_DARK_FROM = 0.55
"""On a share from here on the map is dark, so that a number on it must be bright."""
_NAME_LENGTH = 30
_JUDGE_LENGTH = 110


def save_figure(found: JudgeAgreement, path: Path) -> Path:
    """Draw the agreement and write it as a PNG.

    Raises:
        RunError: the file cannot be written.
    """
    figure = agreement_figure(found)
    try:
        write_figure(figure, path, dpi=DPI)
    except OSError as error:
        raise RunError(f"{path}: cannot write the figure: {error}") from error
    return path


def agreement_figure(found: JudgeAgreement) -> Figure:
    """Counts of the scores beside the diversities of the groups, tested judge against reference."""
    figure = ShownFigure(figsize=_SIZE, layout="constrained")
    maps, points = figure.subplots(1, 2, width_ratios=(1.12, 1))
    _draw_confusion(figure, maps, found)
    _draw_diversities(points, found)
    notes = (
        "frames and line: both agree; hatched: a score that the reference never gave; brackets: 95 % over problems",
        f"tested: {drawable(found.tested.judge, _JUDGE_LENGTH)}",
        f"reference: {drawable(found.reference.judge, _JUDGE_LENGTH)}",
    )
    figure.suptitle("Agreement of two judges", **plain_text(12))
    figure.supxlabel("\n".join(notes), color=_GREY, **plain_text(8))
    return figure


def _draw_confusion(figure: Figure, axes: Axes, found: JudgeAgreement) -> None:
    counts = confusion(found.groups)
    totals = counts.sum(axis=0, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    axes.patch.set(**MISSING)  # shows where the map has no colour
    image = axes.imshow(
        shares, cmap=colormaps[_SHARES], norm=Normalize(0, 1), origin="lower", interpolation="nearest", aspect="equal"
    )
    for score in range(N_SCORES):
        corner, side = score - 0.5 + _INSET, 1 - 2 * _INSET
        axes.add_patch(Rectangle((corner, corner), side, side, fill=False, edgecolor=_LINE, linewidth=1))
    for (score, other), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[score, other] >= _DARK_FROM else "black"
            axes.text(other, score, f"{count:,}", ha="center", va="center", color=colour, **plain_text(8))
    axes.set_xticks(range(N_SCORES))
    axes.set_yticks(range(N_SCORES))
    axes.tick_params(length=2, labelsize=9)
    axes.spines[:].set_color("#cccccc")
    axes.set_xlabel("score of the reference", fontsize=9)
    axes.set_ylabel("score of the tested judge", fontsize=9)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.ax.tick_params(length=2, labelsize=8)
    bar.set_label("share of the pairs with this score of the reference", fontsize=8)
    bar.outline.set_visible(False)
    pooled = found.pooled
    unasked = f" ({pooled.n_unasked:,} identical texts)" if pooled.n_unasked else ""
    caption = f"{pooled.n_pairs:,} pairs{unasked}, kappa {_with_interval(pooled.kappa)}"
    axes.set_title(f"Scores\n{caption}", loc="left", **plain_text(9.5))


def _draw_diversities(axes: Axes, found: JudgeAgreement) -> None:
    style_axes(axes)
    axes.plot([0, 1], [0, 1], color=_LINE, linewidth=1, zorder=1)
    for strategy in found.strategies:
        look = look_of(found.strategies, strategy)
        groups = [group for group in found.groups if group.strategy == strategy and group.both.any()]
        axes.plot(
            [group.reference_diversity for group in groups],
            [group.diversity for group in groups],
            look.marker,
            color=look.colour,
            alpha=0.7,
            markeredgewidth=0,
            markersize=6,
            label=f"{drawable(strategy, _NAME_LENGTH)} (n = {len(groups)})",
        )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel("diversity by the reference", fontsize=9)
    axes.set_ylabel("diversity by the tested judge", fontsize=9)
    legend = axes.legend(frameon=False, fontsize=8, loc="best")
    for text in legend.get_texts():
        text.set_parse_math(False)
    bias = _with_interval(found.pooled.diversity_bias, signed=True)
    axes.set_title(f"Diversities, a point a problem\nbias {bias}", loc="left", **plain_text(9.5))


def _with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    return interval(estimate.value, estimate.low, estimate.high, 2, signed=signed)
