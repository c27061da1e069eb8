"""Heat maps of similarity matrices: one a group, and one a problem with its strategies side by side.

Every map has the same colours for 0..5, so that two pictures can be compared by eye, and a cell without a
score never looks like a low or a high one. Ids and strategies are strangers' texts: they are drawn as they
are, never read as mathematics. Figures are built without `pyplot`, whose global state would leak into a
user's notebook.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from numpy.typing import NDArray

from diversity_judge.drawing.axes import MISSING, ShownFigure, drawable, plain_text
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.text_safety import printable

COLOURS = "viridis"
DPI = 120
_MAX_COLUMNS = 4
# Sizes and distances in inches. The gap above a row holds the titles of its panels.
_PANEL = 3.1
_COLUMN_GAP = 0.55
_ROW_GAP = 0.85
_TOP = -0.05
_BOTTOM = 0.85
_LEFT = 0.5
_BAR_SPACE = 0.45
_TITLE_LETTER, _NOTE_LETTER = 0.12, 0.075
_STRATEGY_LENGTH = 32
_MAX_TICKS = 10
_BLANK = "#ffffff"
_GREY = "#555555"
_DIAGONAL = "#b0b0b0"


@dataclass(frozen=True, eq=False)
class Heatmap:
    """One group as a picture shows it.

    Attributes:
        problem_id: The problem.
        strategy: How the responses were sampled.
        scores: (n, n) similarity 0..5, row i and column j for responses i and j; NaN where there is no score.
            The diagonal is not looked at.
        diversity: The group's diversity 0..1, NaN where no pair has a score.
        ci_low: Lower end of its 95 % interval, NaN where there is none.
        ci_high: Upper end.
        wanted: (n, n) bool, the pairs that were to be judged; the others stay white. None: all of them.
    """

    problem_id: str
    strategy: str
    scores: NDArray[np.float64]
    diversity: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    wanted: NDArray[np.bool_] | None = None

    @property
    def has_interval(self) -> bool:
        """Whether the interval is known."""
        return not (math.isnan(self.ci_low) or math.isnan(self.ci_high))

    @property
    def caption(self) -> str:
        """Diversity, its interval, and the number of responses or the one score that all pairs have, in one line."""
        value = "no score" if math.isnan(self.diversity) else f"diversity {self.diversity:.2f}"
        interval = f" [{self.ci_low:.2f}, {self.ci_high:.2f}]" if self.has_interval else ""
        score = only_score(self.scores)
        return f"{value}{interval}, " + (f"every pair {score}" if score else f"{len(self.scores)} responses")


def only_score(similarity: NDArray[np.float64]) -> str:
    """The score that every pair of a group got; empty where they differ or there is one pair alone.

    Args:
        similarity: (n, n) symmetric; NaN where missing.
    """
    known = similarity[np.triu(~np.isnan(similarity), 1)]
    return f"{known[0]:g}" if len(known) > 1 and bool((known == known[0]).all()) else ""


def similarity_heatmap(heatmap: Heatmap, *, judge: str = "") -> Figure:
    """Draws one group.

    Args:
        heatmap: The group.
        judge: How the judge is named below the picture.

    Raises:
        ValueError: The scores are no square matrix or lie outside of 0..5.
    """
    return problem_heatmaps([heatmap], judge=judge)


def problem_heatmaps(heatmaps: Sequence[Heatmap], *, judge: str = "") -> Figure:
    """Draws the strategies of one problem side by side, on one colour scale.

    Args:
        heatmaps: One a strategy, all of one problem.
        judge: How the judge is named below the picture.

    Raises:
        ValueError: There is none, they are of several problems, or a matrix is not square or not within 0..5.
    """
    problem_ids = {heatmap.problem_id for heatmap in heatmaps}
    if len(problem_ids) != 1:
        raise ValueError(f"one problem a figure, not {len(problem_ids)}")
    for heatmap in heatmaps:
        _check(heatmap)
    figure, panels, bar_axes = _lay_out(len(heatmaps))
    images = [_draw(panel, heatmap) for panel, heatmap in zip(panels, heatmaps, strict=True)]
    bar = figure.colorbar(images[0], cax=bar_axes, ticks=range(MAX_SCORE + 1))
    bar.ax.tick_params(length=2, labelsize=8)
    bar.set_label("similarity (0 different approach, 5 same)", fontsize=8)
    bar.outline.set_visible(False)
    width, height = figure.get_size_inches()
    title = drawable(problem_ids.pop(), int(width / _TITLE_LETTER))
    figure.text(_LEFT / width, 1 - 0.1 / height, title, va="top", **plain_text(12))
    notes = [f"judge: {drawable(judge, int(width / _NOTE_LETTER))}"] if judge else []
    said = "diagonal: a response with itself"
    notes.append(f"in brackets: 95 % interval; {said}" if any(h.has_interval for h in heatmaps) else said)
    figure.text(_LEFT / width, 0.06 / height, "\n".join(notes), va="bottom", color=_GREY, **plain_text(7.5))
    if any(_is_missing(heatmap).any() for heatmap in heatmaps):
        patch = Patch(label="no score", **MISSING)
        figure.legend(handles=[patch], loc="lower right", frameon=False, fontsize=8, borderaxespad=0.2)
    return figure


def png_of(heatmaps: Sequence[Heatmap], *, judge: str = "") -> bytes:
    """The same as a PNG.

    Raises:
        ValueError: As `problem_heatmaps`.
    """
    figure = problem_heatmaps(heatmaps, judge=judge)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi)
    return file.getvalue()


def _check(heatmap: Heatmap) -> None:
    shape = heatmap.scores.shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise ValueError(f"the scores of {printable(heatmap.strategy, 40)} are {shape}, not (n, n)")
    known = heatmap.scores[np.isfinite(heatmap.scores)]
    if known.size and not (known.min() >= 0 and known.max() <= MAX_SCORE):
        raise ValueError(f"the scores of {printable(heatmap.strategy, 40)} are not within 0..{MAX_SCORE}")


def _lay_out(n_panels: int) -> tuple[Figure, list[Axes], Axes]:
    """A figure with axes for the panels and the colour bar, at fixed distances in inches.

    matplotlib's own layout engines measure all texts of a figure, which takes longer than drawing it.
    """
    rows = math.ceil(n_panels / _MAX_COLUMNS)
    columns = math.ceil(n_panels / rows)
    width = _LEFT + columns * (_PANEL + _COLUMN_GAP) + _BAR_SPACE
    height = _TOP + rows * (_PANEL + _ROW_GAP) + _BOTTOM
    figure = ShownFigure(figsize=(width, height), dpi=DPI)

    def add_axes(left: float, top: float, size: tuple[float, float]) -> Axes:
        return figure.add_axes((left / width, 1 - (top + size[1]) / height, size[0] / width, size[1] / height))

    panels = []
    for place in range(n_panels):
        row, column = divmod(place, columns)
        left = _LEFT + column * (_PANEL + _COLUMN_GAP)
        panels.append(add_axes(left, _TOP + _ROW_GAP + row * (_PANEL + _ROW_GAP), (_PANEL, _PANEL)))
    bar_left = _LEFT + columns * (_PANEL + _COLUMN_GAP) - 0.3
    return figure, panels, add_axes(bar_left, _TOP + _ROW_GAP, (0.14, _PANEL))


def _is_missing(heatmap: Heatmap) -> NDArray[np.bool_]:
    """(n, n) bool: wanted, but without a score."""
    missing = ~np.isfinite(heatmap.scores) & ~np.eye(len(heatmap.scores), dtype=bool)
    return missing if heatmap.wanted is None else missing & (heatmap.wanted | heatmap.wanted.T)


def _draw(axes: Axes, heatmap: Heatmap) -> AxesImage:
    n = len(heatmap.scores)
    scores = np.where(np.eye(n, dtype=bool), np.nan, heatmap.scores)
    # Below both images lies the hatched background: it shows where neither of them covers it.
    axes.patch.set(**MISSING)
    is_blank = ~np.isfinite(scores) & ~_is_missing(heatmap)
    axes.imshow(np.where(is_blank, 0.0, np.nan), cmap=ListedColormap([_BLANK]), interpolation="nearest")
    image = axes.imshow(
        scores, cmap=colormaps[COLOURS], norm=Normalize(0, MAX_SCORE), interpolation="nearest", aspect="equal"
    )
    ticks = range(0, n, math.ceil(n / _MAX_TICKS))
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(n - 0.5, -0.5)
    axes.tick_params(length=2, labelsize=8)
    axes.set_xlabel("response", fontsize=8)
    axes.set_ylabel("response", fontsize=8)
    axes.spines[:].set_visible(False)
    axes.plot([-0.5, n - 0.5], [-0.5, n - 0.5], color=_DIAGONAL, linewidth=0.8)
    title = f"{drawable(heatmap.strategy, _STRATEGY_LENGTH)}\n{heatmap.caption}"
    axes.set_title(title, loc="left", **plain_text(9.5))
    return image
