"""Figures of pairs that come in clusters (problems), with intervals that hold where the clusters are few.

Pairs of one problem share its peculiarities, and often responses, so the problem is the unit. Every statistic here is
a function of sums over pairs (a mean is one sum over another, a pooled variance is squares over degrees of freedom, an
AUC is a function of two histograms), so leaving out a problem is a subtraction. The standard error is the
delete-one-problem jackknife (CV3 of MacKinnon, Nielsen and Webb 2023, J. Econometrics 232, 272-299), the interval
Student's t with one degree less than there are problems, on the log for spreads and on the logit for shares of a range.

A share that piles up at an end of its range is treated as surveys do (Korn and Graubard 1998, Survey Methodology 24,
193-201): the problems' spread says how many independent answers the n are worth, and Clopper and Pearson's interval is
taken of so many. Where no answer differs from the others the n count in full.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.intervals import Estimate, t_interval, t_quantile, unseen_share, what_is_left

MIN_CLUSTERS = 3
"""Two problems give an interval that says nothing: t with one degree of freedom."""
CONFIDENCE = 0.95
METHOD = "delete-one-problem jackknife, t over problems"
SHARE = "Clopper and Pearson of the effective number (Korn and Graubard)"
NO_SPREAD = "no spread seen: what the equal answers leave open"
_ROUNDING = 1e-12

Scale = Literal["plain", "log"]
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From (..., D) sums to (...) values."""


def codes_of(clusters: NDArray[np.str_ | np.intp]) -> NDArray[np.intp]:
    """(N,) numbers 0..G-1 of the clusters' names."""
    return np.unique(clusters, return_inverse=True)[1].reshape(-1)


def sums_by(codes: NDArray[np.intp], columns: Sequence[NDArray[np.float64] | NDArray[np.bool_]]) -> NDArray[np.float64]:
    """(G, D) sums of D columns (N,) within each cluster."""
    g = int(codes.max()) + 1 if len(codes) else 0
    return np.stack([np.bincount(codes, np.asarray(column, np.float64), minlength=g) for column in columns], axis=1)


def of_sums(
    statistic: Statistic,
    sums: NDArray[np.float64],
    *,
    scale: Scale = "plain",
    bounds: tuple[float, float] | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """A statistic of sums over all problems, with its interval.

    Args:
        statistic: Of (..., D) sums.
        sums: (G, D), problem by problem.
        scale: On which the interval is symmetric: a spread's is `log`.
        bounds: Of the statistic; on the logit of this range then, which takes the place of `scale`.
        confidence: Between 0 and 1.

    Returns:
        NaN with a reason for fewer than 3 problems, where leaving out a problem leaves the statistic undefined, and
        where it has no spread over problems; the caller knows what that leaves open.
    """
    total = sums.sum(axis=0)
    value, n, nan = float(statistic(total)), len(sums), float("nan")
    if np.isnan(value):
        return Estimate(nan, nan, nan, nan, n, METHOD, "there is nothing to take it from", confidence)
    if n < MIN_CLUSTERS:
        reason = f"{n} problem(s); an interval needs {MIN_CLUSTERS}"
        return Estimate(value, nan, nan, nan, n, METHOD, reason, confidence)
    without = statistic(total - sums)
    if np.isnan(without).any():
        return Estimate(value, nan, nan, nan, n, METHOD, "one problem alone decides it", confidence)
    if np.ptp(without) <= _ROUNDING * max(1.0, abs(value)):
        return Estimate(value, nan, nan, 0.0, n, METHOD, "no spread over problems", confidence)
    if bounds is None and scale == "log" and value > 0 and (without > 0).all():
        logs = np.log(without)
        se = jackknife_se(logs)
        low, high = t_interval(math.log(value), se, n, bounds=None, confidence=confidence)
        return Estimate(value, math.exp(low), math.exp(high), value * se, n, METHOD, confidence=confidence)
    se = jackknife_se(without)
    low, high = t_interval(value, se, n, bounds=bounds, confidence=confidence)
    return Estimate(value, low, high, se, n, METHOD, confidence=confidence)


def jackknife_se(without: NDArray[np.float64]) -> float:
    """Standard error from the (G,) values that leaving out each problem gives."""
    g = len(without)
    return float(np.sqrt((g - 1) / g * ((without - without.mean()) ** 2).sum()))


def mean_of(
    values: NDArray[np.float64],
    clusters: NDArray[np.str_ | np.intp],
    *,
    bounds: tuple[float, float],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Mean of pairs.

    Args:
        values: (N,); NaN is left out.
        clusters: (N,) their problems.
        bounds: Smallest and largest value that a pair can have; what equal values leave open lies within.
        confidence: Between 0 and 1.
    """
    known = ~np.isnan(values)
    values, codes = values[known], codes_of(clusters[known])
    found = of_sums(_ratio, sums_by(codes, [values, np.ones(len(values))]), confidence=confidence)
    if found.se == 0.0 and np.ptp(values) == 0:
        return of_equal(found, len(values), bounds)
    low, high = max(found.low, bounds[0]), min(found.high, bounds[1])
    return found if np.isnan(found.low) else Estimate(found.value, low, high, found.se, found.n, METHOD, "", confidence)


def share_of(
    flags: NDArray[np.bool_], clusters: NDArray[np.str_ | np.intp], *, confidence: float = CONFIDENCE
) -> Estimate:
    """Share of pairs of which something is true.

    Args:
        flags: (N,) of which it is.
        clusters: (N,) their problems.
        confidence: Between 0 and 1.
    """
    from scipy.special import betaincinv  # a fifth of a second, which every command's start would wait for

    n, codes = len(flags), codes_of(clusters)
    found = of_sums(_ratio, sums_by(codes, [flags, np.ones(n)]), confidence=confidence)
    if np.isnan(found.value) or np.isnan(found.se):
        return found
    effective = float(n)
    if 0 < found.value < 1 and found.se > 0:
        # How much less than n they are worth, and t over problems instead of over pairs.
        narrow, wide = t_quantile(confidence, n - 1), t_quantile(confidence, found.n - 1)
        effective = min(float(n), found.value * (1 - found.value) / found.se**2 * (narrow / wide) ** 2)
    hits, tail = found.value * effective, (1 - confidence) / 2
    low = float(betaincinv(hits, effective - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, effective - hits, 1 - tail)) if hits < effective else 1.0
    return Estimate(found.value, low, high, found.se, found.n, SHARE, confidence=confidence)


def of_equal(found: Estimate, n: int, bounds: tuple[float, float]) -> Estimate:
    """The interval of a statistic that no problem changes: what n equal answers leave open (see `intervals`)."""
    low, high = what_is_left(found.value, unseen_share(n, found.confidence), bounds)
    return Estimate(found.value, low, high, 0.0, found.n, NO_SPREAD, confidence=found.confidence)


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first sum over the second; NaN over 0."""
    return ratio(sums[..., 0], sums[..., 1])


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the denominator is 0 but for rounding."""
    numerator, denominator = np.asarray(numerator), np.asarray(denominator)
    quotient = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > _ROUNDING)
    return quotient
