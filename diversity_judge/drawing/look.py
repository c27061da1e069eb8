"""How a strategy looks, the same in every figure and on the page: a colour and, for those who see none, a marker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#a6761d")
"""Okabe and Ito's colours, which colour-blind readers can tell apart, without black and yellow: all are readable on
white and on black."""
SCORE_COLOURS = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")
"""Viridis at the scores 0 to 5, as the heat maps have it; on the page, scores between two of them are mixed."""
_MARKERS = (
    ("o", "circle"),
    ("s", "square"),
    ("D", "diamond"),
    ("^", "triangle-up"),
    ("v", "triangle-down"),
    ("P", "cross"),
    ("X", "x"),
    ("*", "star"),
)


@dataclass(frozen=True)
class Look:
    """A strategy's colour, and its marker as matplotlib and as the page name it."""

    colour: str
    marker: str
    symbol: str


def look_of(strategies: Sequence[str], strategy: str) -> Look:
    """The look of one of these strategies."""
    place = strategies.index(strategy)
    return Look(COLOURS[place % len(COLOURS)], *_MARKERS[place % len(_MARKERS)])
