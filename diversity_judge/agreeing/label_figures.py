"""The figure of a judge against labels that say similar or not: its scores for either, and what thresholds would do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from diversity_judge.agreeing.labelled import LabelAgreement
from diversity_judge.drawing.axes import ShownFigure, drawable, plain_text, style_axes
from diversity_judge.drawing.axes import save_figure as write_figure
from diversity_judge.drawing.look import COLOURS
from diversity_judge.errors import RunError
from diversity_judge.rubric import MAX_SCORE, SCORES
from diversity_judge.wording import interval

DPI = 150
_SIZE = (10.4, 5.0)
"""Inches."""
_GREY = "#555555"
_LINE = "#888888"
_WIDTH = 0.38
_APART = 0.06
"""Points that lie closer than this to one with a number get none."""
_NAME_LENGTH = 110
_SIMILAR, _DIFFERENT = COLOURS[2], COLOURS[1]


def save_binary_figure(found: LabelAgreement, path: Path) -> Path:
    """Draw the agreement and write it as a PNG.

    Raises:
        RunError: the file cannot be written.
    """
    figure = binary_figure(found)
    try:
        write_figure(figure, path, dpi=DPI)
    except OSError as error:
        raise RunError(f"{path}: cannot write the figure: {error}") from error
    return path


def binary_figure(found: LabelAgreement) -> ShownFigure:
    """The judge's scores of pairs that people call similar and of the others, beside the curve of all thresholds."""
    figure = ShownFigure(figsize=_SIZE, layout="constrained")
    bars, curve = figure.subplots(1, 2, width_ratios=(1.3, 1))
    pairs = [(pair.judge, pair.label > 0.5) for pair in found.labelled.pairs if not np.isnan(pair.judge)]
    scores = np.array([score for score, _ in pairs])
    similar = np.array([is_similar for _, is_similar in pairs], dtype=np.bool_)
    _draw_scores(bars, found, scores, similar)
    _draw_curve(curve, found, scores, similar)
    figure.suptitle("Does the judge tell similar pairs from others?", **plain_text(12))
    notes = (
        f"tested: {drawable(found.tested.judge, _NAME_LENGTH)}",
        f"reference: {drawable(found.reference.judge, _NAME_LENGTH)}",
    )
    figure.supxlabel("\n".join(notes), color=_GREY, **plain_text(8))
    return figure


def _draw_scores(
    axes: Axes, found: LabelAgreement, scores: np.ndarray[tuple[int], np.dtype[np.float64]], similar: np.ndarray
) -> None:
    style_axes(axes)
    for side, (is_similar, colour, name) in enumerate(
        ((False, _DIFFERENT, "not similar"), (True, _SIMILAR, "similar"))
    ):
        mine = scores[similar == is_similar]
        counts = np.histogram(mine, bins=np.arange(MAX_SCORE + 2) - 0.5)[0]
        shares = counts / max(1, len(mine))
        places = np.array(SCORES) + (side - 0.5) * _WIDTH
        axes.bar(places, shares, _WIDTH, color=colour, label=f"people: {name} ({len(mine):,} pairs)")
    pooled = found.binary[-1]
    if not np.isnan(pooled.threshold):
        axes.axvline(pooled.threshold - 0.5, color=_LINE, linewidth=1.2, linestyle="--", label="best threshold")
    axes.set_xlabel("score of the judge", fontsize=9)
    axes.set_ylabel("share of these pairs", fontsize=9)
    axes.set_xticks(list(SCORES))
    axes.legend(fontsize=8, frameon=False)
    balanced = pooled.balanced_accuracy
    accuracy = interval(balanced.value, balanced.low, balanced.high)
    said = f"similar from {pooled.threshold:g} on: balanced accuracy {accuracy}, corrected {pooled.corrected:.3f}"
    axes.set_title(f"Scores\n{said}", loc="left", **plain_text(9.5))


def _draw_curve(
    axes: Axes, found: LabelAgreement, scores: np.ndarray[tuple[int], np.dtype[np.float64]], similar: np.ndarray
) -> None:
    style_axes(axes)
    levels = [*np.unique(scores)[::-1]]
    hits, alarms = ([0.0, *(float(np.mean(scores[at] >= level)) if at.any() else np.nan for level in levels)]
                    for at in (similar, ~similar))  # fmt: skip
    axes.plot([0, 1], [0, 1], color=_LINE, linewidth=1, zorder=1)
    axes.plot(alarms, hits, color=COLOURS[0], marker="o", markersize=4, zorder=2)
    named = (-1.0, -1.0)
    for level, x, y in zip(levels, alarms[1:], hits[1:], strict=True):
        if abs(x - named[0]) + abs(y - named[1]) > _APART:
            axes.annotate(f"{level:g}", (x, y), textcoords="offset points", xytext=(5, -9), **plain_text(8))
            named = (x, y)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel("share of the others that the threshold calls similar", fontsize=9)
    axes.set_ylabel("share of the similar pairs that it finds", fontsize=9)
    roc = found.binary[-1].auc
    axes.set_title(f"Every threshold\nAUC {interval(roc.value, roc.low, roc.high)}", loc="left", **plain_text(9.5))
