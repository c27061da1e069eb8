"""Intervals for the mean of a bounded metric over few problems, where values pile up at the ends.

A pass rate is often 0 or 1 on every problem that was asked. Student's t then sees no spread and gives an interval of
no width, or one that covers the truth half of the time. Instead the population's distribution is unknown and gets a
prior: with v the values seen and weights w ~ Dirichlet(1, ..., 1, 1/2, 1/2) over them and both ends of the range, the
interval holds the middle of the distribution of sum(w v). It is Rubin's Bayesian bootstrap (1981) with half an
observation at either end, and for values 0 and 1 exactly Jeffreys' interval of a proportion.

The distribution is computed, not drawn: a Dirichlet vector is a vector of gamma variables divided by their sum, so
P(sum(w v) <= x) = P(sum(g (v - x)) <= 0), and the distribution of a linear combination of independent gamma variables
is Imhof's (1961, Biometrika 48, 419-426) one-dimensional integral.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

END_WEIGHT = 0.5
"""Observations that each end of the range counts as."""
_NODES = 200
"""Of the integral; Jeffreys' intervals for 1 to 1,000 problems come out exact to eight digits."""
_TOLERANCE = 1e-10
_NEWTON_STEPS = 8


class WeightedMean:
    """The distribution of sum(w v), w ~ Dirichlet(1, ..., 1, 1/2, 1/2) over the values and both ends.

    Args:
        values: (P,) within the bounds.
        bounds: Smallest and largest value that the metric can take.

    Raises:
        ValueError: there is no value, or one lies outside the bounds.
    """

    def __init__(self, values: NDArray[np.float64], bounds: tuple[float, float]) -> None:
        if not len(values) or values.min() < bounds[0] or values.max() > bounds[1]:
            raise ValueError(f"needs values within {bounds}, not {values}")
        distinct, counts = np.unique(values, return_counts=True)
        self._values = np.append(distinct, bounds)
        self._weights = np.append(counts.astype(np.float64), [END_WEIGHT, END_WEIGHT])
        self._bounds = bounds
        self._points, self._steps = _half_line()

    def cdf(self, x: float) -> float:
        """P(sum(w v) <= x)."""
        if not self._bounds[0] < x < self._bounds[1]:
            return float(x >= self._bounds[1])
        slopes = self._values - x
        slopes = slopes / np.sqrt((self._weights * slopes**2).sum())
        phase = self._weights @ np.arctan(np.outer(slopes, self._points))
        decay = self._weights @ np.log1p(np.outer(slopes**2, self._points**2)) / 2
        return float(0.5 - (np.sin(phase) * np.exp(-decay) * self._steps).sum() / np.pi)

    def quantile(self, share: float) -> float:
        """The x with P(sum(w v) <= x) = share."""
        from scipy.optimize import brentq

        low, high = self._bounds
        margin = 1e-12 * (high - low)
        return float(brentq(lambda x: self.cdf(x) - share, low + margin, high - margin, xtol=_TOLERANCE))

    def interval(self, confidence: float, near: tuple[float, float] | None = None) -> tuple[float, float]:
        """The middle of the distribution, extended to an end of the range where all values stand at it.

        Args:
            confidence: Share of the distribution that it holds.
            near: An interval that is not far, of a neighbour on a curve: a few steps of Newton's from there are
                cheaper than a search of the whole range, and end at the same.
        """
        tail = (1 - confidence) / 2
        seen = self._values[:-2]
        low, high = self._bounds
        if not (seen == low).all():
            low = self._quantile_near(tail, near and near[0])
        if not (seen == self._bounds[1]).all():
            high = self._quantile_near(1 - tail, near and near[1])
        return low, high

    def _quantile_near(self, share: float, start: float | None) -> float:
        x = self._bounds[0] if start is None else start
        for _ in range(_NEWTON_STEPS):
            if not self._bounds[0] < x < self._bounds[1]:
                break
            value, slope = self._cdf_and_density(x)
            step = (value - share) / slope if slope > 0 else np.inf
            x -= step
            if abs(step) < _TOLERANCE:
                return float(x)
        return self.quantile(share)

    def _cdf_and_density(self, x: float) -> tuple[float, float]:
        """The distribution and its derivative; the scale of the slopes cancels from the integral, and is held fixed."""
        slopes = self._values - x
        scale = np.sqrt((self._weights * slopes**2).sum())
        bent = np.outer(slopes / scale, self._points)
        damping = 1 / (1 + bent**2)
        phase = self._weights @ np.arctan(bent)
        size = np.exp(self._weights @ np.log(damping) / 2) * self._steps
        turn, shrink = self._weights @ damping, self._weights @ (bent * damping)
        change = (np.cos(phase) * turn - np.sin(phase) * shrink) * self._points / scale
        return float(0.5 - (np.sin(phase) * size).sum() / np.pi), float((change * size).sum() / np.pi)


@cache
def _half_line() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes u = s / (1 - s) on the half line and their weights over u, which cost more than an interval does."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    share = (nodes + 1) / 2
    points = share / (1 - share)
    return points, weights / 2 / (1 - share) ** 2 / points
