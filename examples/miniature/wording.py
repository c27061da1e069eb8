"""Numbers with their intervals as the miniature's sentences say them."""

from __future__ import annotations

import math
from typing import Protocol


class HasInterval(Protocol):
    """A number and the ends of its interval, as `Estimate` has them."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def low(self) -> float:
        """The interval's lower end."""

    @property
    def high(self) -> float:
        """The interval's upper end."""


def with_interval(one: HasInterval, digits: int, *, signed: bool = False) -> str:
    """`0.412 (0.380 to 0.445)`, with so many digits after the point; what is infinite has `no end`."""
    sign = "+" if signed else ""
    value, low, high = (
        "no end" if number == math.inf else f"{number:{sign}.{digits}f}" for number in (one.value, one.low, one.high)
    )
    return f"{value} ({low} to {high})"
