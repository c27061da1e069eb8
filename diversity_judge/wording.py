"""Numbers as people read them, the same on the console, in a figure and on the page."""

from __future__ import annotations

import math

NONE = "none"


def number(value: float, digits: int = 3, *, signed: bool = False, missing: str = NONE) -> str:
    """A number with so many digits after the point, or the word for one that is missing (NaN)."""
    if math.isnan(value):
        return missing
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def interval(
    value: float, low: float, high: float, digits: int = 3, *, signed: bool = False, missing: str = NONE
) -> str:
    """`0.412 [0.380, 0.445]`: a value and its interval; the value alone where there is no interval (NaN)."""
    shown = number(value, digits, signed=signed, missing=missing)
    return shown if math.isnan(low) or math.isnan(value) else f"{shown} [{low:.{digits}f}, {high:.{digits}f}]"


def spread(low: float, high: float, digits: int = 3) -> str:
    """`0.380 - 0.445`: two ends without a value between them."""
    return f"{low:.{digits}f} - {high:.{digits}f}"


def p_value(p: float, smallest: float = 0.0) -> str:
    """`p = 0.031`; `p <= 0.0001` where it is the smallest that the test can give."""
    if math.isnan(p):
        return "no p"
    if p <= smallest * (1 + 1e-9):
        return f"p <= {p:.2g}"
    return f"p = {p_number(p)}"


def p_number(p: float, *, missing: str = NONE) -> str:
    """`0.031`, or `0.0002` where three digits would show none."""
    if math.isnan(p):
        return missing
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"


def percent(share: float, missing: str = NONE) -> str:
    """A share, rounded down so that 100 % means all."""
    return missing if math.isnan(share) else f"{math.floor(share * 1000) / 10:.1f} %"
