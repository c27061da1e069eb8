"""How many problems a study needs for a difference to be confirmed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from diversity_judge.measures.paired import LEVEL, MIN_PROBLEMS


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
    sd: float, difference: float, *, pilot: int, n_comparisons: int = 1, power: float = 0.8, level: float = LEVEL
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
    spreads = (sd, *(sd * np.sqrt(degrees / stats.chi2.ppf(share, degrees)) for share in (0.9, 0.1)))
    n, low, high = (_smallest_study(abs(difference) / spread, power, level / n_comparisons) for spread in spreads)
    return ProblemsNeeded(n, low, high, abs(difference), power, n_comparisons)


def fewest_problems(n_comparisons: int = 1, level: float = LEVEL) -> int:
    """The fewest problems with which sign flips can confirm a difference among so many comparisons."""
    n = MIN_PROBLEMS
    while 2.0 ** (1 - n) > level / n_comparisons:
        n += 1
    return n


def detectable_difference(
    sd: float, n: int, *, n_comparisons: int = 1, power: float = 0.8, level: float = LEVEL
) -> float:
    """The smallest true difference that a study of n problems confirms with the given power.

    The inverse of `problems_needed` (noncentral t at level / comparisons); about (t_.975 + t_.8) sd / sqrt(n).

    Args:
        sd: Standard deviation of the differences over problems.
        n: Problems.
        n_comparisons: Comparisons among which it is to be confirmed.
        power: Chance of seeing it.
        level: Two-sided level of the family of comparisons.

    Returns:
        Infinity where so few problems can confirm nothing; NaN where `sd` is.

    Raises:
        ValueError: Power or level isn't between 0 and 1.
    """
    from scipy.optimize import brentq

    if not 0 < power < 1 or not 0 < level < 1 or n_comparisons < 1:
        raise ValueError("needs a power and a level between 0 and 1")
    if np.isnan(sd):
        return float("nan")
    if n < fewest_problems(n_comparisons, level):
        return float("inf")
    confidence = 1 - level / n_comparisons
    above = 1.0 / np.sqrt(n)  # far beyond the answer noncentral t is NaN, so it is approached from below
    while t_test_power(n, above, confidence) < power:
        above *= 1.5
    return sd * float(brentq(lambda effect: t_test_power(n, effect, confidence) - power, above / 1.5, above))


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


def t_test_power(n: int, effect: float, confidence: float) -> float:
    """Power of the two-sided one-sample t-test for a true mean of `effect` standard deviations.

    Args:
        n: Problems.
        effect: True mean over standard deviation.
        confidence: One less the level of the test.
    """
    if n < 2:
        return 0.0
    critical = stats.t.ppf((1 + confidence) / 2, n - 1)
    shift = effect * np.sqrt(n)
    return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift))
