"""Is one strategy different from another? Paired on problems, with the problem as the unit.

Problems differ far more than strategies do, so both strategies are looked at on the same problems and only the
differences count. A problem that lacks one of the two values is named and left out.

Two tests are asked and both must agree. Student's t is right for means of many problems and wrong where few differences
are skewed; flipping the signs of the differences is right for any distribution that is symmetric when the strategies
are equal, at any number of problems, and blind below 6. The p-value is the larger of the two. The interval is the hull
of the two intervals that belong to these tests, so that it excludes 0 exactly where p <= 0.05: Student's t, clipped to
what the metric allows, and Hartigan's (1969, J. Am. Stat. Assoc. 64, 1303-1317): the k-th smallest and the k-th largest
mean of all 2^P - 1 subsets of the differences, k = floor(0.025 x 2^P). Flipping the signs of a subset leaves the sum as
far on its side exactly where the subset's own mean is on the other side of 0, so the same subsets give the p-value.

What no method can do: where the differences take two values (a problem is won or it is not), 4 to 13 problems do not
tell a mean; benchmarks/coverage.py has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.dirichlet import WeightedMean
from diversity_judge.measures.intervals import Estimate, strategy_estimate, t_interval

LEVEL = 0.05
"""Two-sided level of the tests: a difference is confirmed where its p-value after Holm is no larger."""
MIN_PROBLEMS = 6
"""Below this no sign pattern is rare enough: with 5 problems the smallest p-value is 2/32."""
MAX_EXACT_PROBLEMS = 16
"""Up to this many problems all 2^16 subsets are looked at; it takes milliseconds."""
MONTE_CARLO_DRAWS = 19_999
"""Random subsets beyond that: a p-value of 0.05 is then known to 0.0015."""
SIGN_BYTES = 2**24
"""Memory for random subsets at a time."""
ROUNDING = 1e-9
"""Sums this close to 0, relative to the sum of absolute differences, are 0: a tie must count as one."""

BOTH_TESTS = "hull of t and subset means over problems"
IF_NORMAL = "t over problems, right if differences are normal"
ALL_EQUAL = "Dirichlet weights, all differences are equal"
"""How a difference's interval was made."""


class Verdict(str, Enum):
    """What can be said of a difference; the value is the word in the tables."""

    CONFIRMED = "confirmed"
    ALONE = "excludes 0 alone"
    NOT_SHOWN = "not shown"
    TOO_FEW = "fewer than 6 problems"


@dataclass(frozen=True)
class DifferenceTest:
    """Two-sided test of a mean difference of 0.

    Attributes:
        p: p-value; NaN where there are too few problems.
        exact: Whether all subsets were looked at; else random ones.
        smallest_p: The smallest p-value that this many problems with a difference allow.
    """

    p: float
    exact: bool
    smallest_p: float

    @property
    def resolution(self) -> float:
        """The p-value at which random subsets end to tell: it is that or less; 0 where all were looked at."""
        return 0.0 if self.exact else 2 / (MONTE_CARLO_DRAWS + 1)


@dataclass(frozen=True)
class PairedDifference:
    """A strategy against a baseline on one metric.

    Attributes:
        estimate: Mean over problems of strategy minus baseline, with its interval.
        sd: Standard deviation of the differences over problems; NaN with fewer than two.
        test: Of a mean difference of 0.
        p_holm: p-value adjusted for the other comparisons (`with_holm`); NaN before that, and where there is none.
        n_comparisons: Comparisons that it was adjusted for.
        problems: Problems that both have a value for, in the order of the first mapping.
        unpaired: Problems left out because one of the two has no value.
    """

    estimate: Estimate
    sd: float
    test: DifferenceTest
    problems: tuple[str, ...]
    unpaired: tuple[str, ...]
    p_holm: float = float("nan")
    n_comparisons: int = 1

    @property
    def verdict(self) -> Verdict:
        """What can be said of the difference."""
        if np.isnan(self.test.p):
            return Verdict.TOO_FEW
        if self.p_holm <= LEVEL:
            return Verdict.CONFIRMED
        return Verdict.ALONE if self.test.p <= LEVEL else Verdict.NOT_SHOWN


def paired_difference(
    values: Mapping[str, float],
    baseline: Mapping[str, float],
    *,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """Mean of `values - baseline` over the problems that both have.

    Args:
        values: The strategy's metric by problem; NaN counts as absent.
        baseline: The baseline's.
        bounds: Smallest and largest value of the metric; None where it has none.
        confidence: Of the interval.
        seed: Of the random subsets, where there are too many to look at all.

    Returns:
        Interval NaN with a reason for fewer than two problems; p NaN for fewer than six.
    """
    known = {problem for problem, value in values.items() if not np.isnan(value)}
    paired = known & {problem for problem, value in baseline.items() if not np.isnan(value)}
    problems = tuple(problem for problem in values if problem in paired)
    unpaired = tuple(problem for problem in dict.fromkeys((*values, *baseline)) if problem not in paired)
    differences = np.array([values[problem] - baseline[problem] for problem in problems])
    estimate, test = mean_difference(differences, bounds=bounds, confidence=confidence, seed=seed)
    sd = float(differences.std(ddof=1)) if len(differences) > 1 else float("nan")
    return PairedDifference(estimate, sd, test, problems, unpaired)


def mean_difference(
    differences: Sequence[float] | NDArray[np.float64],
    *,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[Estimate, DifferenceTest]:
    """Mean of paired differences, its interval, and the test that goes with it.

    The interval excludes 0 exactly where p <= 1 - confidence.

    Args:
        differences: (P,) without NaN.
        bounds: Smallest and largest value of the metric whose differences they are; None where it has none.
        confidence: Of the interval.
        seed: Of the random subsets.
    """
    from scipy import stats

    array = np.asarray(differences, dtype=np.float64)
    n = len(array)
    if n < 2:
        return strategy_estimate(array, confidence=confidence, bounds=None), _too_few(array)
    span = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    if np.ptp(array) <= ROUNDING * np.abs(array).max():
        return _of_equal(array, span, confidence, seed)
    mean, se = float(array.mean()), float(array.std(ddof=1) / np.sqrt(n))
    low, high = _clipped(t_interval(mean, se, n, bounds=None, confidence=confidence), span)
    if n < MIN_PROBLEMS:
        return Estimate(mean, low, high, se, n, IF_NORMAL, confidence=confidence), _too_few(array)
    subsets = _Subsets.of(array, seed)
    subset_low, subset_high = subsets.interval(confidence)
    low, high = _clipped((min(low, subset_low), max(high, subset_high)), span)
    p = max(float(2 * stats.t.sf(abs(mean) / se, n - 1)), subsets.p)
    test = DifferenceTest(p, subsets.is_exact, _smallest_p(array))
    return Estimate(mean, low, high, se, n, BOTH_TESTS, confidence=confidence), test


def sign_flip_test(differences: Sequence[float] | NDArray[np.float64], *, seed: int = 0) -> DifferenceTest:
    """Share of the sign patterns whose sum is at least as far from 0 as the one seen.

    Exact up to 16 problems; beyond, 19,999 random subsets to be flipped and the one seen
    (Phipson and Smyth 2010, arXiv 1603.05766), so that p is never 0.

    Args:
        differences: (P,) without NaN.
        seed: Of the random subsets.
    """
    array = np.asarray(differences, dtype=np.float64)
    if not len(array):
        return DifferenceTest(float("nan"), exact=True, smallest_p=float("nan"))
    subsets = _Subsets.of(array, seed)
    return DifferenceTest(subsets.p, subsets.is_exact, _smallest_p(array))


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
    made = int((~np.isnan(adjusted)).sum()) or len(comparisons)
    return tuple(replace(c, p_holm=float(p), n_comparisons=made) for c, p in zip(comparisons, adjusted, strict=True))


def _too_few(differences: NDArray[np.float64]) -> DifferenceTest:
    return DifferenceTest(float("nan"), exact=True, smallest_p=_smallest_p(differences))


def _smallest_p(differences: NDArray[np.float64]) -> float:
    """Of a two-sided sign-flip test; a difference of 0 has no sign to flip."""
    n = int((differences != 0).sum())
    if len(differences) > MAX_EXACT_PROBLEMS:
        return max(min(1.0, 2.0 ** (1 - n)), 2 / (MONTE_CARLO_DRAWS + 1))
    return min(1.0, 2.0 ** (1 - n)) if len(differences) else float("nan")


def _clipped(interval: tuple[float, float], span: tuple[float, float] | None) -> tuple[float, float]:
    return interval if span is None else (max(interval[0], span[0]), min(interval[1], span[1]))


def _of_equal(
    differences: NDArray[np.float64], span: tuple[float, float] | None, confidence: float, seed: int
) -> tuple[Estimate, DifferenceTest]:
    """Differences without spread: what they leave open, and the p-value that belongs to it."""
    n, value = len(differences), float(differences[0])
    if span is None:
        estimate = strategy_estimate(np.full(n, value), confidence=confidence, bounds=None)
        return estimate, _too_few(differences)
    weighted = WeightedMean(np.full(n, value), span)
    low, high = weighted.interval(confidence)
    estimate = Estimate(value, low, high, 0.0, n, ALL_EQUAL, confidence=confidence)
    if n < MIN_PROBLEMS:
        return estimate, _too_few(differences)
    flipped = sign_flip_test(differences, seed=seed)
    beyond = weighted.cdf(0.0)
    p = max(flipped.p, 2 * min(beyond, 1 - beyond))
    return estimate, replace(flipped, p=p)


@dataclass(frozen=True)
class _Subsets:
    """Means of subsets of the differences: all of them, or random ones.

    Attributes:
        means: Of the subsets that are not empty; 0 where only rounding tells it from 0.
        total: Their number, and one more for the empty one.
        is_exact: Whether they are all.
    """

    means: NDArray[np.float64]
    total: int
    is_exact: bool

    @classmethod
    def of(cls, differences: NDArray[np.float64], seed: int) -> _Subsets:
        is_exact = len(differences) <= MAX_EXACT_PROBLEMS
        sums, sizes = _all_subsets(differences) if is_exact else _random_subsets(differences, seed)
        sums[np.abs(sums) <= ROUNDING * np.abs(differences).sum()] = 0.0
        return cls(sums / sizes, len(sums) + 1, is_exact)

    @property
    def p(self) -> float:
        """Two-sided: a flipped subset leaves the sum as far on its side where its own sum is not on that side."""
        below, above = int((self.means <= 0).sum()), int((self.means >= 0).sum())
        return min(1.0, 2 * (1 + min(below, above)) / self.total)

    def interval(self, confidence: float) -> tuple[float, float]:
        """The k-th smallest and the k-th largest mean; without ends where so few subsets leave no k."""
        # A hair more than the product, which rounding can put below the whole number that it is.
        k = int((1 - confidence) / 2 * self.total * (1 + ROUNDING))
        if not k:
            return -np.inf, np.inf
        ordered = np.partition(self.means, (k - 1, len(self.means) - k))
        return float(ordered[k - 1]), float(ordered[-k])


def _all_subsets(differences: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sums, sizes = np.zeros(1), np.zeros(1)
    for difference in differences:
        sums, sizes = np.concatenate([sums, sums + difference]), np.concatenate([sizes, sizes + 1])
    return sums[1:], sizes[1:]


def _random_subsets(differences: NDArray[np.float64], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    sums, sizes = [], []
    left = MONTE_CARLO_DRAWS
    while left:
        draws = min(left, max(1, SIGN_BYTES // (8 * len(differences))))
        members = generator.integers(0, 2, (draws, len(differences)), dtype=np.int8).astype(np.float64)
        sums.append(members @ differences)
        sizes.append(np.maximum(members.sum(axis=1), 1.0))  # an empty one has sum 0, and mean 0
        left -= draws
    return np.concatenate(sums), np.concatenate(sizes)
