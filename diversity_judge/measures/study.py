"""What a study will show before it is paid for: the width of its intervals, and the difference that it can see.

With the variances of `variances` (s_g^2 of responses, s_h^2 of pairs, s_o^2 of orders, s_e^2 of judgments, s_B^2 of
problems, s_D^2 of differences), the estimate of a group of n responses from m balanced pairs, K draws in each of o
orders, has the variance

    V = 4 s_g^2 / n + t / m,   t = s_h^2 + s_o^2 [o = 1] + s_e^2 / (K o)       (Hoeffding's decomposition)

each response standing in 2 m / n of the pairs, and the order's effect cancelling in both orders. A strategy over P
problems has (s_B^2 + V) / P, a paired difference (s_D^2 + 2 V) / P, for what problems do to both cancels (Cochran 1977,
Sampling Techniques, 10.2-10.6 and 12.3, for designs of several stages). With a surrogate f that explains the share R2
of the variance of scores within a group, the m judged of all N pairs leave

    V = 4 s_g^2 / n + t / N + (1 / m - 1 / N) (1 - R2) (2 s_g^2 + t)

for the difference estimator, and never more than without it.

An interval is made from the spread that is seen, which is itself uncertain: with 13 problems its width varies by a
fifth from study to study. `width` is therefore planned with assurance (Kupper and Hafner 1989, Am. Stat. 43, 101-105):
90 % of such studies have an interval no more than 10 % wider. The detectable difference is confirmed with a power of
80 % (noncentral t, at the level of Holm's first step; `few_problems` up to eleven problems).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures import few_problems
from diversity_judge.measures.intervals import t_interval
from diversity_judge.measures.paired import MIN_PROBLEMS
from diversity_judge.measures.power import POWER, detectable_difference
from diversity_judge.measures.variances import Variances

TOLERANCE = 0.1
"""By how much of the planned width the interval of a study may be wider."""
Number = float | NDArray[np.float64]

ASSURANCE = 0.9
"""Share of the studies of which that is true."""
_PLANNED_FOR = 0.92
"""A little more than is promised: spreads are not quite normal."""


@dataclass(frozen=True)
class Sample:
    """What is judged of one group.

    Attributes:
        responses: Responses n.
        pairs: Unordered pairs m that are judged; capped at all of them.
        draws: Judgments K of each in its order; between two whole numbers where some have one more.
        orders: 1 or 2 orders of each.
    """

    responses: int
    pairs: float
    draws: float = 1
    orders: int = 1

    @property
    def all_pairs(self) -> int:
        """N = n (n - 1) / 2."""
        return self.responses * (self.responses - 1) // 2


def group_variance(variances: Variances, sample: Sample, surrogate_r2: float = 0.0) -> float:
    """Variance V of a group's estimated diversity.

    Args:
        variances: Of the study.
        sample: What is judged.
        surrogate_r2: Share of the variance of scores within a group that a surrogate explains; 0 without one.

    Returns:
        NaN where fewer than two responses or no pair leave nothing to estimate.
    """
    total = sample.all_pairs
    if total < 1 or not sample.pairs > 0:
        return math.nan
    m = min(sample.pairs, total)
    residual = variances.residual(sample.draws, sample.orders)
    plain = float(sampling_variance(variances.response, residual, sample.responses, m))
    if not surrogate_r2:
        return plain
    left = (1 - surrogate_r2) * (2 * variances.response + residual)
    of_all = float(sampling_variance(variances.response, residual, sample.responses, total))
    return min(plain, of_all + (1 / m - 1 / total) * left)


def sampling_variance(
    response: Number, residual: Number, responses: Number, pairs: Number
) -> np.float64 | NDArray[np.float64]:
    """V, of numbers or of arrays that fit each other: 4 s_g^2 / n + t / m.

    Args:
        response: s_g^2.
        residual: t, what a pair varies beyond its two responses.
        responses: n.
        pairs: m.
    """
    return np.asarray(4 * np.divide(response, responses) + np.divide(residual, pairs))[()]


def strategy_variance(variances: Variances, variance: float, problems: int) -> float:
    """Variance of a strategy's mean over problems that could have been asked.

    Args:
        variances: Of the study.
        variance: Mean V of its groups.
        problems: P.
    """
    return (variances.problem + variance) / problems


def difference_variance(variances: Variances, variance: float, problems: int) -> float:
    """Variance of a paired difference of two strategies.

    Args:
        variances: Of the study.
        variance: Mean V of the groups of both.
        problems: Common problems P.
    """
    return (variances.difference + 2 * variance) / problems


def mean_group_variance(variances: Variances, samples: Sequence[Sample], surrogate_r2: float = 0.0) -> float:
    """Mean of `group_variance` over groups, which may differ in size; NaN without one."""
    found = [group_variance(variances, sample, surrogate_r2) for sample in samples]
    known = [variance for variance in found if not math.isnan(variance)]
    return float(np.mean(known)) if known else math.nan


def width_factor(degrees: float) -> float:
    """By what a width is larger than the true spread makes it, so that it is kept with assurance.

    The spread that a study sees is sqrt(chi2(degrees) / degrees) of the true one. The factor is its 92 % quantile over
    1.1, and at least its median.
    """
    from scipy import stats  # a second, which every start of `score` would wait for

    return _assured(*np.sqrt(stats.chi2.ppf([0.5, _PLANNED_FOR], degrees) / degrees))


def group_width(variances: Variances, variance: float, responses: int, groups: int) -> float:
    """Width of the 95 % interval of a group, as a mean over the groups of a study.

    Args:
        variances: Of the study, for the level.
        variance: V.
        responses: Responses a group, n - 1 degrees of freedom.
        groups: Groups that the mean is over.
    """
    if responses < 4 or math.isnan(variance):
        return math.nan
    # Half the degrees of the responses: the spread is a moment of products, not of squares.
    factor = width_factor(groups * (responses - 1) / 2)
    return _logit_width(variances.diversity, math.sqrt(variance) * factor, responses)


def strategy_width(variances: Variances, variance: float, problems: int) -> float:
    """Width of the 95 % interval of a strategy over its problems.

    Args:
        variances: Of the study.
        variance: Mean V of its groups.
        problems: Problems P.
    """
    se = math.sqrt(strategy_variance(variances, variance, problems))
    if problems < 2 or math.isnan(se):
        return math.nan
    return _logit_width(variances.diversity, se * width_factor(problems - 1), problems)


def difference_width(variances: Variances, variance: float, problems: int) -> float:
    """Width of the 95 % interval of the paired difference of two strategies.

    Args:
        variances: Of the study.
        variance: Mean V of the groups of both.
        problems: Common problems P.
    """
    sd = difference_sd(variances, variance)
    if problems < 2 or math.isnan(sd):
        return math.nan
    if MIN_PROBLEMS <= problems <= few_problems.MOST:
        return sd * _assured(*few_problems.widths_seen(problems, _PLANNED_FOR))
    return difference_interval_width(sd, problems) * width_factor(problems - 1)


def difference_interval_width(sd: float, problems: int) -> float:
    """Width of the 95 % interval of a paired difference whose differences are seen to spread by `sd`.

    Of t, and from six problems on of the hull of both intervals, by what that adds on average.
    """
    from scipy import stats

    by_t = 2 * float(stats.t.ppf(0.975, problems - 1)) * sd / math.sqrt(problems)
    return by_t * (few_problems.hull_ratio(problems) if problems >= MIN_PROBLEMS else 1.0)


def difference_sd(variances: Variances, variance: float) -> float:
    """Standard deviation over problems of the differences that are seen."""
    return math.sqrt(difference_variance(variances, variance, 1))


def detectable(
    variances: Variances, variance: float, problems: int, *, n_comparisons: int = 1, power: float = POWER
) -> float:
    """The true mean difference of two strategies that is confirmed with the given power.

    Args:
        variances: Of the study.
        variance: Mean V of the groups of both.
        problems: Common problems P.
        n_comparisons: Comparisons among which it is to be confirmed.
        power: Chance of seeing it.

    Returns:
        Infinity where so few problems can confirm nothing; NaN where the spread of differences is not known.
    """
    return detectable_difference(difference_sd(variances, variance), problems, n_comparisons=n_comparisons, power=power)


def smallest(is_enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest whole number from low to high that is enough; None where high is not. What is enough stays so."""
    if low > high or not is_enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return high


def _assured(median: float, high: float) -> float:
    """What is kept with assurance and tolerance, and by half of the studies without."""
    return float(max(median, high / (1 + TOLERANCE)))


def _logit_width(diversity: float, se: float, n: int) -> float:
    low, high = t_interval(min(max(diversity, 0.01), 0.99), se, n, bounds=(0.0, 1.0))
    return high - low
