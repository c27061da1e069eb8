"""Intervals for a diversity: of one group, and of a strategy over its problems.

Pairs share responses. Treating 496 pairs of 32 responses as 496 independent facts gives intervals that
are several times too narrow, so the unit that varies is the response within a group and the problem
across groups, never the pair.

One group. The covariance of two scores depends on how their pairs are related (`dyadic`), so one formula
serves every pair, both orders, a thinned design and missing pairs, as long as pairs are missing by
chance. The sum over relations is the variance of the mean. It is held at or above what independent pairs
would give, because the part that shared responses add is itself a variance. The interval is Student's t
with n - 1 degrees of freedom on the logit of the diversity: diversity lives in (0, 1) and is skewed near
its ends. A mean over problems is treated alike, with the problem as the unit.

No spread. Where all values are equal there is nothing to estimate a variance from, and an interval of no width would
say that nothing else exists. What n equal values do say: with 97.5 % confidence no more than p = 1 - 0.025^(1/n) of
the population differs from them (Clopper and Pearson 1934). The interval is what that leaves, had all that differs
stood at one end of the range. Of a group it is the pairs that are equal, and a pair differs if one of its two
responses does: 1 - (1 - p)^2.

Outcomes. Pass rates and votes pile up at 0 and 1, where t fails; `outcome_estimate` treats them (`dirichlet`).

Why not the delete-one-response jackknife: it counts the variation between pairs twice, and where that
dominates (judge noise, thinned designs) its 95 % interval covers 99 %; see benchmarks/coverage.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.dirichlet import WeightedMean
from diversity_judge.measures.dyadic import variance_of_mean
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.rubric import MAX_SCORE

MIN_PROBLEMS = 2
"""Below this nothing says how problems differ."""
MIN_RESPONSES = 4
"""Below this no two pairs are disjoint, and the spread between responses can't be told from the mean."""
NO_SPREAD = "no spread seen: what the equal values leave open"
"""The method's name where all values are equal."""


@dataclass(frozen=True)
class Estimate:
    """A number, how sure we are of it, and why not where we can't say.

    Attributes:
        value: The estimate itself.
        low: Lower end of the confidence interval; NaN where there is none.
        high: Upper end of the confidence interval; NaN where there is none.
        se: Standard error of `value`; NaN where there is none.
        n: Number of units that vary: responses for a group, problems for a strategy.
        method: How the interval was made, in a few words.
        reason: Why there is no value or no interval; empty when there is.
        confidence: Share of such intervals that is meant to hold the truth.
    """

    value: float
    low: float
    high: float
    se: float
    n: int
    method: str
    reason: str = ""
    confidence: float = 0.95


def group_estimate(matrix: SimilarityMatrix, *, confidence: float = 0.95) -> Estimate:
    """Diversity of a group, with the interval over the responses that could have been sampled.

    The interval is not symmetric about the value and stays inside [0, 1]. Where all scores are equal it
    is that of "no spread" above. Two equally common approaches and nothing else make it conservative, and
    few responses (8 or so) of which one or two stand out make it too narrow: benchmarks/coverage.py has
    the figures.

    Args:
        matrix: Scores of one group; missing cells are taken as missing by chance.
        confidence: Between 0 and 1.

    Returns:
        `n` counts the responses with at least one score. Value and interval are NaN without a score;
        the interval is NaN, with a reason, with fewer than 4 such responses or where all scored pairs
        share a response.
    """
    method = "dyadic variance, t on the logit over responses"
    scored = matrix.scored
    involved = int((scored.any(axis=0) | scored.any(axis=1)).sum())
    if not involved:
        return _unknown(float("nan"), 0, method, "no pair has a score", confidence)
    if involved < MIN_RESPONSES:
        reason = f"{involved} responses have scores; an interval needs {MIN_RESPONSES}"
        return _unknown(matrix.diversity, involved, method, reason, confidence)
    variance = variance_of_mean(matrix.scores, scored)
    if np.isnan(variance):
        reason = "no two scored pairs are without a response in common"
        return _unknown(matrix.diversity, involved, method, reason, confidence)
    if variance == 0:
        differing = 1 - (1 - unseen_share(involved, confidence)) ** 2
        low, high = what_is_left(matrix.diversity, differing, (0.0, 1.0))
        return Estimate(matrix.diversity, low, high, 0.0, involved, NO_SPREAD, confidence=confidence)
    se = float(np.sqrt(variance)) / MAX_SCORE
    low, high = _logit_interval(matrix.diversity, se, t_quantile(confidence, involved - 1))
    return Estimate(matrix.diversity, low, high, se, involved, method, confidence=confidence)


def strategy_estimate(
    values: Sequence[float] | NDArray[np.float64],
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Estimate:
    """Mean over problems, with the interval over the problems that could have been asked.

    What happened inside a problem (few responses, missing pairs, judge noise) already shows in how much
    the problems' values differ, so it isn't added a second time. A metric with bounds gets Student's t on
    the logit scale, which covers better where problems are few and values skewed, and stays inside the
    bounds; one without gets the plain t interval. Equal values: see "no spread" above; without bounds they
    leave everything open and have no interval.

    Args:
        values: One value a problem; NaN values are left out, and `n` counts the rest.
        confidence: Between 0 and 1.
        bounds: Smallest and largest value that the metric can take; None where it has none.

    Raises:
        ValueError: A value lies outside the bounds.
    """
    method = "t over problems" if bounds is None else "t on the logit over problems"
    array = _known(values, bounds)
    n = len(array)
    if n < MIN_PROBLEMS:
        return _too_few(array, method, confidence)
    mean = float(array.mean())
    if np.ptp(array) == 0:
        if bounds is None:
            return _unknown(mean, n, method, "all values are equal and the metric has no bounds", confidence)
        low, high = what_is_left(mean, unseen_share(n, confidence), bounds)
        return Estimate(mean, low, high, 0.0, n, NO_SPREAD, confidence=confidence)
    se = float(array.std(ddof=1) / np.sqrt(n))
    low, high = t_interval(mean, se, n, bounds=bounds, confidence=confidence)
    return Estimate(mean, low, high, se, n, method, confidence=confidence)


def outcome_estimate(
    values: Sequence[float] | NDArray[np.float64],
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (0.0, 1.0),
    near: tuple[float, float] | None = None,
) -> Estimate:
    """Mean over problems of an outcome (a pass rate, a vote) or a small count, whose values pile up at the ends.

    Args:
        values: One value a problem; NaN values are left out, and `n` counts the rest.
        confidence: Between 0 and 1.
        bounds: Smallest and largest value that the metric can take.
        near: An interval that is not far from the wanted one, which is found faster from there.

    Returns:
        The interval of `dirichlet.WeightedMean`; `se` is that of the mean over problems.

    Raises:
        ValueError: A value lies outside the bounds.
    """
    method = "Dirichlet weights over problems"
    array = _known(values, bounds)
    n = len(array)
    if n < MIN_PROBLEMS:
        return _too_few(array, method, confidence)
    low, high = WeightedMean(array, bounds).interval(confidence, near)
    se = float(array.std(ddof=1) / np.sqrt(n))
    return Estimate(float(array.mean()), low, high, se, n, method, confidence=confidence)


def outcome_curve(values: NDArray[np.float64], *, confidence: float = 0.95) -> tuple[Estimate, ...]:
    """`outcome_estimate` of each point of a curve, each interval looked for near that of the point before.

    Args:
        values: (points, P) one value a problem, between 0 and 1 and none NaN; the points in their order.
        confidence: Between 0 and 1.

    Raises:
        ValueError: a value lies outside [0, 1], or is NaN.
    """
    if np.isnan(values).any():
        raise ValueError("a curve has the same problems at each point; a value is NaN")
    found: list[Estimate] = []
    near: tuple[float, float] | None = None
    for point in values:
        estimate = outcome_estimate(point, confidence=confidence, near=near)
        near = None if math.isnan(estimate.low) else (estimate.low, estimate.high)
        found.append(estimate)
    return tuple(found)


def t_interval(
    value: float, se: float, n: int, *, bounds: tuple[float, float] | None, confidence: float = 0.95
) -> tuple[float, float]:
    """Student's t interval of an estimate from n units, on the logit scale where it has bounds.

    Args:
        value: The estimate.
        se: Its standard error.
        n: Units that vary; n - 1 degrees of freedom.
        bounds: Smallest and largest value that it can take; None where it has none.
        confidence: Between 0 and 1.
    """
    quantile = t_quantile(confidence, n - 1)
    if bounds is None:
        return value - quantile * se, value + quantile * se
    start, end = bounds
    span = end - start
    low, high = _logit_interval((value - start) / span, se / span, quantile)
    return start + span * low, start + span * high


def _known(values: Sequence[float] | NDArray[np.float64], bounds: tuple[float, float] | None) -> NDArray[np.float64]:
    """The values that are not NaN.

    Raises:
        ValueError: one leaves the bounds.
    """
    array = np.asarray(values, dtype=np.float64)
    array = array[~np.isnan(array)]
    if bounds is not None and len(array) and (array.min() < bounds[0] or array.max() > bounds[1]):
        raise ValueError(f"values from {array.min():g} to {array.max():g} leave the bounds {bounds}")
    return array


def _too_few(values: NDArray[np.float64], method: str, confidence: float) -> Estimate:
    if not len(values):
        return _unknown(float("nan"), 0, method, "no problem has a value", confidence)
    reason = f"one problem says nothing about how problems differ; an interval needs {MIN_PROBLEMS}"
    return _unknown(float(values[0]), 1, method, reason, confidence)


def unseen_share(n: int, confidence: float) -> float:
    """The largest share of a population of which n draws show none, at this (two-sided) confidence."""
    return 1 - float(((1 - confidence) / 2) ** (1 / n))


def what_is_left(value: float, share: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """Where the mean can lie if up to this share of a population differs from a value, at either end."""
    return value - share * (value - bounds[0]), value + share * (bounds[1] - value)


def _unknown(value: float, n: int, method: str, reason: str, confidence: float) -> Estimate:
    nan = float("nan")
    return Estimate(value, nan, nan, nan, n, method, reason, confidence)


def t_quantile(confidence: float, df: int) -> float:
    """Student's t beyond which lies half of what a two-sided confidence leaves.

    Raises:
        ValueError: the confidence does not lie between 0 and 1.
    """
    from scipy.special import stdtrit  # a fifth of a second, which every command's start would wait for

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return float(stdtrit(df, (1 + confidence) / 2))


def make_ready() -> None:
    """Do now, and in any thread, what the first interval would wait for."""
    t_quantile(0.95, 1)


def _logit_interval(share: float, se: float, quantile: float) -> tuple[float, float]:
    """Interval that is symmetric on the logit scale (delta method), so it can't leave (0, 1)."""
    if se == 0 or not 0 < share < 1:
        return share, share
    half = quantile * se / (share * (1 - share))
    odds = share / (1 - share)
    return odds / (odds + np.exp(half)), odds / (odds + np.exp(-half))
