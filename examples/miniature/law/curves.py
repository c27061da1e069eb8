"""A curve through a few points, for thousands of resamplings at once: never falling, and smooth without a wave.

Points that noise has put out of order are averaged (isotonic regression; Barlow et al. 1972). Between two points the
curve is the piecewise cubic of Fritsch and Carlson (1980, SIAM J. Numer. Anal. 17, 238-246), as scipy's
`PchipInterpolator` has it: a chord would lie below a curve that bends, and what is compared with it would look better
than it is. Outside its points a curve says nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_APART = 1e-9
"""Points that were averaged are put so far apart, so that a curve can run through them."""


def rising(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, K) the closest rows that never fall, in least squares.

    By the largest over starts of the smallest over ends of the means between them.
    """
    n = values.shape[1]
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    found = np.full(values.shape, -np.inf)
    for start in range(n):
        between = (sums[:, start + 1 :] - sums[:, start : start + 1]) / np.arange(1, n - start + 1)
        smallest = np.minimum.accumulate(between[:, ::-1], axis=1)[:, ::-1]
        found[:, start:] = np.maximum(found[:, start:], smallest)
    return found


def between(x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, M) the curves' values; NaN outside of a row's points.

    Args:
        x: (R, K) never falling (`rising`), K >= 2.
        y: (R, K).
        at: (R, M).
    """
    x = x + _APART * np.arange(x.shape[1])
    widths, steps = np.diff(x), np.diff(y)
    slopes = _slopes(widths, steps / widths)
    place = (at[:, :, None] >= x[:, None, 1:-1]).sum(axis=2)
    row = np.arange(len(x))[:, None]
    width = widths[row, place]
    t = (at - x[row, place]) / width
    value = (
        (1 + 2 * t) * (1 - t) ** 2 * y[row, place]
        + t * (1 - t) ** 2 * width * slopes[row, place]
        + t**2 * (3 - 2 * t) * y[row, place + 1]
        + t**2 * (t - 1) * width * slopes[row, place + 1]
    )
    return np.where((at >= x[:, :1]) & (at <= x[:, -1:]), value, np.nan)


def _slopes(widths: NDArray[np.float64], chords: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, K) the curve's slope at each point: the weighted harmonic mean of its neighbours', 0 at a turn."""
    if chords.shape[1] == 1:
        return np.repeat(chords, 2, axis=1)
    left, right = chords[:, :-1], chords[:, 1:]
    one, two = 2 * widths[:, 1:] + widths[:, :-1], widths[:, 1:] + 2 * widths[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(left * right > 0, (one + two) / (one / left + two / right), 0.0)
    first = _end(widths[:, 0], widths[:, 1], chords[:, 0], chords[:, 1])
    last = _end(widths[:, -1], widths[:, -2], chords[:, -1], chords[:, -2])
    return np.concatenate([first[:, None], inner, last[:, None]], axis=1)


def _end(
    width: NDArray[np.float64],
    next_width: NDArray[np.float64],
    chord: NDArray[np.float64],
    next_chord: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(R,) the slope at an end: of the parabola through three points, held to the shape."""
    slope = ((2 * width + next_width) * chord - width * next_chord) / (width + next_width)
    slope = np.where(np.sign(slope) == np.sign(chord), slope, 0.0)
    turns = (np.sign(chord) != np.sign(next_chord)) & (np.abs(slope) > 3 * np.abs(chord))
    return np.where(turns, 3 * chord, slope)
