"""How many problems a study needs for a difference to be confirmed, and which difference so many can confirm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from diversity_judge.measures import few_problems
from diversity_judge.measures.paired import LEVEL, MIN_PROBLEMS

POWER = 0.8
"""Chance of seeing a difference that a study is planned for."""


@dataclass(frozen=True)
class ProblemsNeeded:
    """How many problems a study needs.

    Attributes:
        n: With the spread that was seen.
        low: With the smallest spread that what was seen leaves likely (one-sided 90 %).
        high: With the largest.
        difference: The true mean difference that is to be seen.
        power: Chance of seeing it.
        n_comparisons: Comparisons that are made at once.
    """

    n: int
    low: int
    high: int
    difference: float
    power: float
    n_comparisons: int


def problems_needed(
    sd: float, difference: float, *, pilot: int, n_comparisons: int = 1, power: float = POWER, level: float = LEVEL
) -> ProblemsNeeded | None:
    """Smallest number of problems on which a difference is confirmed with the given power.

    Power of a paired t-test (noncentral t) at the level of Holm's first step, level / comparisons, and at least as
    many problems as sign flips need to reach that level. The spread of a pilot is uncertain itself: with P problems
    (P - 1) s^2 / sigma^2 is chi-squared with P - 1 degrees, and the range is what its 10 % and 90 % quantiles give.

    Args:
        sd: Standard deviation of the differences over problems, as a pilot gave it.
        difference: The true mean difference that is to be seen; its sign doesn't matter.
        pilot: Problems that `sd` comes from.
        n_comparisons: Comparisons among which it is to be confirmed.
        power: Chance of seeing it.
        level: Two-sided level of the family of comparisons.

    Returns:
        None where `sd` is 0 or NaN: a study without spread says nothing about how many are needed.

    Raises:
        ValueError: The difference is 0, or power or level isn't between 0 and 1.
    """
    if not abs(difference) > 0 or not 0 < power < 1 or not 0 < level < 1 or n_comparisons < 1:
        raise ValueError("needs a difference other than 0, and a power and a level between 0 and 1")
    if not sd > 0:
        return None
    degrees = pilot - 1
    from scipy import stats  # a second, which every start of `score` would wait for

    spreads = (sd, *(sd * np.sqrt(degrees / stats.chi2.ppf(share, degrees)) for share in (0.9, 0.1)))
    n, low, high = (_smallest_study(abs(difference) / spread, power, level / n_comparisons) for spread in spreads)
    return ProblemsNeeded(n, low, high, abs(difference), power, n_comparisons)


def detectable_difference(
    sd: float, n_problems: int, *, n_comparisons: int = 1, power: float = POWER, level: float = LEVEL
) -> float:
    """The true mean difference that so many problems confirm with the given power: `problems_needed` the other way.

    By the noncentral t, and for up to eleven problems by a simulation of both tests (`few_problems`).

    Args:
        sd: Standard deviation of the differences over problems.
        n_problems: Common problems.
        n_comparisons: Comparisons among which it is to be confirmed.
        power: Chance of seeing it.
        level: Two-sided level of the family of comparisons.

    Returns:
        Infinity where so few problems can confirm nothing; NaN where `sd` is.

    Raises:
        ValueError: Power or level isn't between 0 and 1.
    """
    if not 0 < power < 1 or not 0 < level < 1 or n_comparisons < 1:
        raise ValueError("needs a power and a level between 0 and 1")
    if np.isnan(sd):
        return float("nan")
    if n_problems < fewest_problems(n_comparisons, level):
        return float("inf")
    return _effect(n_problems, power, level / n_comparisons) * sd


def fewest_problems(n_comparisons: int = 1, level: float = LEVEL) -> int:
    """The fewest problems with which sign flips can confirm a difference among so many comparisons."""
    n = MIN_PROBLEMS
    while 2.0 ** (1 - n) > level / n_comparisons:
        n += 1
    return n


def _smallest_study(effect: float, power: float, level: float) -> int:
    fewest = fewest_problems(level=level)
    if t_test_power(fewest, effect, 1 - level) >= power:
        return fewest
    low, high = fewest, 2 * fewest
    while t_test_power(high, effect, 1 - level) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if t_test_power(middle, effect, 1 - level) < power else (low, middle)
    return high


@lru_cache(maxsize=1024)
def _effect(n: int, power: float, level: float) -> float:
    """The mean difference in standard deviations that n problems confirm with this power."""
    if n <= few_problems.MOST:
        return few_problems.effect_seen(n, power, level)
    above = 1.0 / np.sqrt(n)  # far beyond the answer noncentral t is NaN, so it is approached from below
    while t_test_power(n, above, 1 - level) < power:
        above *= 1.5
    from scipy import optimize

    return float(optimize.brentq(lambda effect: t_test_power(n, effect, 1 - level) - power, above / 1.5, above))


def t_test_power(n: int, effect: float, confidence: float) -> float:
    """Power of the two-sided one-sample t-test for a true mean of `effect` standard deviations.

    Args:
        n: Problems.
        effect: True mean over standard deviation.
        confidence: One less the level of the test.
    """
    if n < 2:
        return 0.0
    from scipy import stats

    critical = stats.t.ppf((1 + confidence) / 2, n - 1)
    shift = effect * np.sqrt(n)
    # Far from its mean the distribution's lower tail is NaN, for 0.
    return float(stats.nct.sf(critical, n - 1, shift) + np.nan_to_num(stats.nct.cdf(-critical, n - 1, shift)))
