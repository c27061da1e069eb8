"""Charts as SVG: drawn when the report is made, so that they are there on paper, in a screenshot and without a script.

The page's style gives them their colours (`currentColor` and classes), so that they follow its scheme. What a mark
says is in its `data-tip`, and the problem that it leads to in `data-problem`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

Scale = Callable[[float], float]
DOT = 3.2
"""Radius of a problem's dot."""
_MARK = 5.0
_CAP = 4.0


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        low: Smallest value that is shown.
        high: Largest.
        ticks: Values that have a line and a label.
        labels: Their labels.
        is_log: Whether it is logarithmic.
    """

    low: float
    high: float
    ticks: Sequence[float]
    labels: Sequence[str]
    is_log: bool = False

    def scale(self, start: float, stop: float) -> Scale:
        """From values to the places between `start` and `stop`."""
        bend = math.log if self.is_log else float
        low, high = bend(self.low), bend(self.high)
        span = (high - low) or 1.0
        return lambda value: start + (bend(value) - low) / span * (stop - start)


def linear_axis(low: float, high: float, *, percent: bool = False, most: int = 6) -> Axis:
    """An axis with round ticks that holds these values."""
    span = (high - low) or 1.0
    rough = span / (most - 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = [n * step for n in range(first, last + 1)]
    digits = max(0, math.ceil(-math.log10(step) - 1e-9) + (1 if f"{step:.1e}".startswith("2.5") else 0))
    labels = [f"{100 * tick:.{max(0, digits - 2)}f} %" if percent else f"{tick:.{digits}f}" for tick in ticks]
    return Axis(low, high, ticks, [label.replace("-0.0 ", "0 ") for label in labels])


def canvas(width: float, height: float, label: str) -> Element:
    """An empty picture that fills the width of its place."""
    return Element("svg", {"viewBox": f"0 0 {_n(width)} {_n(height)}", "role": "img", "aria-label": label})


def markup(picture: Element) -> str:
    """As it stands in the page; ElementTree escapes strangers' names."""
    return tostring(picture, encoding="unicode")


def group(parent: Element, **attributes: str) -> Element:
    """A group of marks."""
    return SubElement(parent, "g", attributes)


def line(parent: Element, start: tuple[float, float], stop: tuple[float, float], name: str) -> None:
    """A straight line."""
    (x1, y1), (x2, y2) = start, stop
    SubElement(parent, "line", {"class": name, "x1": _n(x1), "y1": _n(y1), "x2": _n(x2), "y2": _n(y2)})


def words(parent: Element, x: float, y: float, said: str, anchor: str, name: str = "words") -> None:
    """A text; the anchor is `start`, `middle` or `end`."""
    SubElement(parent, "text", {"class": name, "x": _n(x), "y": _n(y), "text-anchor": anchor}).text = said


def dot(parent: Element, x: float, y: float, colour: str, tip: str, problem: int, *, is_hollow: bool = False) -> None:
    """A problem."""
    attributes = {"class": "dot hollow" if is_hollow else "dot", "cx": _n(x), "cy": _n(y), "r": _n(DOT)}
    attributes |= {"stroke": colour, "fill": "none" if is_hollow else colour, "pointer-events": "all"}
    SubElement(parent, "circle", attributes | {"data-tip": tip, "data-problem": str(problem)})


def mark(parent: Element, x: float, y: float, colour: str, symbol: str, tip: str) -> None:
    """An estimate, in its strategy's colour and shape, with a rim that keeps it apart from what lies below."""
    attributes = {"class": "mark", "d": _shape(symbol, x, y, _MARK), "fill": colour, "data-tip": tip}
    SubElement(parent, "path", attributes)


def whisker(parent: Element, ends: tuple[float, float], at: float, *, is_level: bool) -> None:
    """An interval: a line with caps, along x where it is level and else along y; nothing where there is none (NaN)."""
    low, high = ends
    if math.isnan(low) or math.isnan(high):
        return
    strokes = [((low, at), (high, at)), ((low, at - _CAP), (low, at + _CAP)), ((high, at - _CAP), (high, at + _CAP))]
    for start, stop in strokes:
        line(parent, *((start, stop) if is_level else (start[::-1], stop[::-1])), "whisker")


def curve(parent: Element, points: Sequence[tuple[float, float]], colour: str, name: str) -> None:
    """A line through points."""
    shown = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
    SubElement(parent, "polyline", {"class": name, "points": shown, "stroke": colour})


def band(
    parent: Element, upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], colour: str
) -> None:
    """What lies between two lines."""
    shown = " ".join(f"{_n(x)},{_n(y)}" for x, y in (*upper, *reversed(lower)))
    SubElement(parent, "polygon", {"class": "band", "points": shown, "fill": colour})


def _shape(symbol: str, x: float, y: float, r: float) -> str:
    """The outline of a marker, by the name that `Look` gives it."""
    if symbol == "circle":
        return f"M{_n(x - r)} {_n(y)}a{_n(r)} {_n(r)} 0 1 0 {_n(2 * r)} 0a{_n(r)} {_n(r)} 0 1 0 {_n(-2 * r)} 0z"
    corners = [(x + r * dx, y + r * dy) for dx, dy in _OUTLINES[symbol]]
    return "M" + "L".join(f"{_n(a)} {_n(b)}" for a, b in corners) + "z"


def _n(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _star() -> tuple[tuple[float, float], ...]:
    corners = [(1.2 if n % 2 == 0 else 0.5, math.pi * (n / 5 - 0.5)) for n in range(10)]
    return tuple((radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in corners)


_PLUS = ((-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35), (0.35, 1), (-0.35, 1),
         (-0.35, 0.35), (-1, 0.35), (-1, -0.35), (-0.35, -0.35))  # fmt: skip
_OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "triangle-up": ((0, -1.1), (1.1, 0.9), (-1.1, 0.9)),
    "triangle-down": ((0, 1.1), (1.1, -0.9), (-1.1, -0.9)),
    "cross": _PLUS,
    "x": tuple((0.75 * (a - b), 0.75 * (a + b)) for a, b in _PLUS),
    "star": _star(),
}
