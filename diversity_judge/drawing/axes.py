"""What all figures share: the style of their axes, text that is only text, and how a figure is written.

Figures are built without `pyplot`, whose global state would leak into a user's notebook. Ids and strategies are
strangers' texts: they are drawn as they are, never read as mathematics.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from diversity_judge.files import write_whole
from diversity_judge.text_safety import REPLACEMENT, printable

FONT = "DejaVu Sans"
"""Comes with matplotlib, so that a figure is the same on every machine."""
MISSING: dict[str, Any] = {
    "facecolor": "#f2f2f2",
    "edgecolor": "#9a9a9a",
    "hatch": "/////",
    "linewidth": 0.0,
}
"""How the place of a score that is missing looks."""


class ShownFigure(Figure):
    """A figure that shows itself in a notebook.

    Those of matplotlib show there only once `pyplot` was imported or `%matplotlib inline` was said.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=self.dpi)
        return file.getvalue()


def save_figure(figure: Figure, path: Path, *, dpi: float | None = None) -> None:
    """Write a figure whole, in the format of the path's ending; the same figure gives the same bytes.

    Args:
        figure: What is drawn.
        path: Where to; the folder is made.
        dpi: Dots an inch; the figure's own if None.

    Raises:
        OSError: the disk does not take it.
    """
    extension = path.suffix.removeprefix(".")
    metadata = {"Date": None} if extension == "svg" else None  # no date, and below no random ids
    with rc_context({"svg.hashsalt": path.stem}):
        write_whole(
            path,
            lambda temporary: figure.savefig(temporary, format=extension, dpi=dpi or figure.dpi, metadata=metadata),
        )


def write_picture(path: Path, picture: bytes) -> None:
    """Write a picture whole; its folder is made.

    Raises:
        OSError: the disk does not take it.
    """
    write_whole(path, lambda temporary: temporary.write_bytes(picture))


def style_axes(axes: Axes) -> None:
    """The look of every axes that is no map: a light grid behind the data, no box around it."""
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def plain_text(size: float) -> dict[str, Any]:
    """Text properties under which dollar signs and backslashes are only characters."""
    return {"fontsize": size, "parse_math": False, "usetex": False, "fontfamily": FONT}


def drawable(text: str, limit: int) -> str:
    """The text on one line, with a replacement for each character that the font has no picture of."""
    shown = printable(text, limit)
    return "".join(character if ord(character) in _glyphs() else REPLACEMENT for character in shown)


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    """Code points that the font can draw."""
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())
