"""Is one strategy different from another? Paired on problems, with the problem as the unit.

Problems differ far more than strategies do, so both strategies are looked at on the same problems and
only the differences count. A problem that lacks one of the two values is named and left out. The p-value
comes from flipping the signs of the differences, which is right for any distribution that is symmetric
when the strategies are equal; the interval is Student's t. The two can disagree on a borderline case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.intervals import Estimate, strategy_estimate

MAX_EXACT_PROBLEMS = 16
"""Up to this many non-zero differences all 2^16 sign patterns are looked at; it takes a millisecond."""
MONTE_CARLO_DRAWS = 19_999
"""Random sign patterns beyond that: a p-value of 0.05 is then known to 0.0015."""
SIGN_BYTES = 2**24
"""Memory for random signs at a time."""
ROUNDING = 1e-9
"""Sums this close, relative to the sum of absolute differences, are equal: a tie must count as one."""


@dataclass(frozen=True)
class PermutationTest:
    """Two-sided sign-flip test of a mean difference of 0.

    Attributes:
        p: p-value; NaN without a difference to flip.
        exact: Whether all sign patterns were looked at; else random ones.
        smallest_p: The smallest p-value that this many differences allow.
    """

    p: float
    exact: bool
    smallest_p: float


@dataclass(frozen=True)
class PairedDifference:
    """A strategy against a baseline on one metric.

    Attributes:
        estimate: Mean over problems of strategy minus baseline, with its interval.
        sd: Standard deviation of the differences over problems; NaN with fewer than two.
        test: Sign-flip permutation test.
        p_holm: p-value adjusted for the other comparisons (`with_holm`); NaN before that.
        problems: Problems that both have a value for, in the order of the first mapping.
        unpaired: Problems left out because one of the two has no value.
    """

    estimate: Estimate
    sd: float
    test: PermutationTest
    problems: tuple[str, ...]
    unpaired: tuple[str, ...]
    p_holm: float = float("nan")


def paired_difference(
    values: Mapping[str, float],
    baseline: Mapping[str, float],
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """Mean of `values - baseline` over the problems that both have.

    Args:
        values: The strategy's metric by problem; NaN counts as absent.
        baseline: The baseline's.
        confidence: Of the interval.
        seed: Of the random sign patterns, where there are too many to look at all.

    Returns:
        Interval NaN with a reason for fewer than two problems.
    """
    known = {problem for problem, value in values.items() if not np.isnan(value)}
    paired = known & {problem for problem, value in baseline.items() if not np.isnan(value)}
    problems = tuple(problem for problem in values if problem in paired)
    unpaired = tuple(problem for problem in dict.fromkeys((*values, *baseline)) if problem not in paired)
    differences = np.array([values[problem] - baseline[problem] for problem in problems])
    return PairedDifference(
        estimate=strategy_estimate(differences, confidence=confidence, bounds=None),
        sd=float(differences.std(ddof=1)) if len(differences) > 1 else float("nan"),
        test=sign_flip_test(differences, seed=seed),
        problems=problems,
        unpaired=unpaired,
    )


def sign_flip_test(differences: Sequence[float] | NDArray[np.float64], *, seed: int = 0) -> PermutationTest:
    """Share of the sign patterns whose sum is at least as far from 0 as the one seen.

    Exact up to 16 non-zero differences; beyond, 19,999 random patterns and the one seen
    (Phipson and Smyth 2010, arXiv 1603.05766), so that p is never 0.

    Args:
        differences: (P,) without NaN.
        seed: Of the random patterns.
    """
    array = np.asarray(differences, dtype=np.float64)
    if not len(array):
        return PermutationTest(float("nan"), exact=True, smallest_p=float("nan"))
    array = array[array != 0]  # a zero has no sign to flip
    if len(array) <= MAX_EXACT_PROBLEMS:
        return _exact_test(array)
    return _monte_carlo_test(array, np.random.default_rng(seed))


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Holm's step-down adjustment (Holm 1979); controls the chance of any false finding.

    Args:
        p_values: (K,); NaN stands for a comparison that was not made, stays NaN and isn't counted.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    stepped = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def with_holm(comparisons: Sequence[PairedDifference]) -> tuple[PairedDifference, ...]:
    """The same comparisons with `p_holm` filled, adjusted for one another."""
    adjusted = holm([comparison.test.p for comparison in comparisons])
    return tuple(replace(c, p_holm=float(p)) for c, p in zip(comparisons, adjusted, strict=True))


def problems_needed(sd: float, difference: float, *, power: float = 0.8, confidence: float = 0.95) -> int | None:
    """Smallest number of problems on which a paired t-test sees a difference with the given power.

    Args:
        sd: Standard deviation of the differences over problems, as a first study gave it.
        difference: The true mean difference that is to be seen; its sign doesn't matter.
        power: Chance of seeing it.
        confidence: 1 minus the two-sided level of the test.

    Returns:
        None where `sd` is 0 or NaN: a study without spread says nothing about how many are needed.

    Raises:
        ValueError: The difference is 0, or power or confidence isn't between 0 and 1.
    """
    if not abs(difference) > 0 or not 0 < power < 1 or not 0 < confidence < 1:
        raise ValueError("needs a difference other than 0, and a power and a confidence between 0 and 1")
    if not sd > 0:
        return None
    effect = abs(difference) / sd
    high = 2
    while _t_test_power(high, effect, confidence) < power:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if _t_test_power(middle, effect, confidence) < power:
            low = middle
        else:
            high = middle
    return high


def _t_test_power(n: int, effect: float, confidence: float) -> float:
    """Power of the two-sided one-sample t-test for a true mean of `effect` standard deviations."""
    if n < 2:
        return 0.0
    critical = stats.t.ppf((1 + confidence) / 2, n - 1)
    shift = effect * np.sqrt(n)
    return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift))


def _exact_test(differences: NDArray[np.float64]) -> PermutationTest:
    """All patterns; those that differ in every sign have equal distance, so the first sign is fixed."""
    sums = differences[:1].copy() if len(differences) else np.zeros(1)
    for difference in differences[1:]:
        sums = np.concatenate([sums + difference, sums - difference])
    return PermutationTest(float(_as_far(sums, differences).mean()), exact=True, smallest_p=1 / len(sums))


def _monte_carlo_test(differences: NDArray[np.float64], generator: np.random.Generator) -> PermutationTest:
    hits, left = 0, MONTE_CARLO_DRAWS
    while left:
        draws = min(left, max(1, SIGN_BYTES // (8 * len(differences))))
        signs = generator.integers(0, 2, (draws, len(differences)), dtype=np.int8) * 2.0 - 1.0
        hits += int(_as_far(signs @ differences, differences).sum())
        left -= draws
    total = MONTE_CARLO_DRAWS + 1
    return PermutationTest((hits + 1) / total, exact=False, smallest_p=1 / total)


def _as_far(sums: NDArray[np.float64], differences: NDArray[np.float64]) -> NDArray[np.bool_]:
    tolerance = ROUNDING * np.abs(differences).sum()
    return np.asarray(np.abs(sums) >= abs(differences.sum()) - tolerance)
