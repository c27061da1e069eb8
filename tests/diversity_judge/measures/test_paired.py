"""Paired comparisons against exhaustive enumeration, scipy, hand-worked and published numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures import paired as comparison
from diversity_judge.measures.paired import (
    IF_NORMAL,
    holm,
    mean_difference,
    paired_difference,
    sign_flip_test,
    with_holm,
)
from diversity_judge.measures.power import ProblemsNeeded, fewest_problems, problems_needed

NAN = math.nan
Array = NDArray[Any]


def by_problem(values: Iterable[float]) -> Any:
    return {f"p{i}": value for i, value in enumerate(values)}


@pytest.mark.parametrize("n", range(1, 11))
@pytest.mark.parametrize("seed", [0, 1])
def test_p_value_is_the_share_of_all_sign_patterns(n: int, seed: int) -> None:
    """Scores in twentieths, so that ties occur; the enumeration works in whole numbers."""
    twentieths = np.random.default_rng(seed).integers(-4, 7, n)
    seen = abs(twentieths.sum())
    patterns = itertools.product([-1, 1], repeat=n)
    expected = np.mean([abs(np.dot(signs, twentieths)) >= seen for signs in patterns])
    test = sign_flip_test(twentieths / 20)
    assert test.exact
    assert test.p == pytest.approx(expected, abs=1e-15)


def test_p_value_agrees_with_scipys_permutation_test() -> None:
    differences = np.random.default_rng(3).normal(0.3, 1, 12)
    oracle = stats.permutation_test(
        [differences], np.mean, permutation_type="samples", n_resamples=2**12, alternative="two-sided"
    )
    assert sign_flip_test(differences).p == pytest.approx(oracle.pvalue, abs=1e-12)


def test_smallest_p_of_a_few_problems() -> None:
    test = sign_flip_test([0.1, 0.2, 0.3, 0.4, 0.5])
    assert test.p == test.smallest_p == 2 / 2**5


def test_equal_strategies_have_p_1() -> None:
    assert sign_flip_test([0.0, 0.0, 0.0]).p == 1


def test_no_difference_to_test_has_no_p() -> None:
    assert math.isnan(sign_flip_test([]).p)


def test_many_problems_are_tested_with_random_patterns_close_to_the_exact_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The standard error of a p-value p from 19,999 patterns is sqrt(p (1 - p) / 19999)."""
    differences = np.random.default_rng(2).normal(0.4, 1, 18)
    drawn = sign_flip_test(differences, seed=5)
    monkeypatch.setattr(comparison, "MAX_EXACT_PROBLEMS", 18)
    exact = sign_flip_test(differences)
    assert (drawn.exact, exact.exact) == (False, True)
    assert 0.01 < exact.p < 0.99
    assert drawn.p == pytest.approx(exact.p, abs=4 * math.sqrt(exact.p * (1 - exact.p) / 19_999))


def test_random_patterns_are_reproducible_and_never_give_0() -> None:
    differences = np.full(40, 0.5)
    assert sign_flip_test(differences, seed=1) == sign_flip_test(differences, seed=1)
    assert sign_flip_test(differences).p == pytest.approx(2 / 20_000)


def test_drawing_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(2).normal(0.2, 1, 40)
    whole = sign_flip_test(differences)
    monkeypatch.setattr(comparison, "SIGN_BYTES", 8 * 40 * 1000)
    assert sign_flip_test(differences).p == pytest.approx(whole.p, abs=0.02)


def test_difference_covers_the_paired_t_interval() -> None:
    generator = np.random.default_rng(0)
    level = generator.uniform(0.2, 0.6, 13)
    a, b = level + generator.normal(0.06, 0.05, 13), level
    result = paired_difference(by_problem(a), by_problem(b), confidence=0.9)
    low, high = stats.ttest_rel(a, b).confidence_interval(0.9)
    assert result.estimate.value == pytest.approx((a - b).mean())
    assert result.estimate.low <= low + 1e-12
    assert result.estimate.high >= high - 1e-12
    assert result.sd == pytest.approx((a - b).std(ddof=1))
    assert result.estimate.n == 13
    assert result.unpaired == ()


def test_unpaired_problems_are_listed_and_left_out() -> None:
    result = paired_difference(
        {"a": 0.5, "b": 0.9, "c": NAN, "d": 0.4, "e": 0.7}, {"d": 0.3, "c": 0.1, "a": 0.3, "e": NAN, "f": 0}
    )
    assert result.problems == ("a", "d")
    assert result.unpaired == ("b", "c", "e", "f")
    assert result.estimate.value == pytest.approx(0.15)


def test_one_paired_problem_gives_a_difference_without_an_interval() -> None:
    result = paired_difference({"a": 0.5}, {"a": 0.25})
    assert result.estimate.value == 0.25
    assert math.isnan(result.estimate.low)
    assert math.isnan(result.sd)
    assert result.estimate.reason
    assert math.isnan(result.test.p)


def test_nothing_paired_gives_no_number() -> None:
    result = paired_difference({"a": 0.5}, {"b": 0.25})
    assert math.isnan(result.estimate.value)
    assert math.isnan(result.test.p)
    assert result.unpaired == ("a", "b")


def test_holm_worked_by_hand() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04 -> 0.06 (monotone)."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_1_and_keeps_ties_equal() -> None:
    assert holm([0.5, 0.5, 0.9]) == pytest.approx([1, 1, 1])
    assert holm([0.02, 0.02]) == pytest.approx([0.04, 0.04])


def test_holm_does_not_count_comparisons_that_were_not_made() -> None:
    np.testing.assert_allclose(holm([0.02, NAN, 0.5]), [0.04, NAN, 0.5])
    assert holm([]).shape == (0,)


def test_with_holm_fills_the_adjusted_values() -> None:
    few = paired_difference(by_problem([0.1, 0.2, 0.3]), by_problem([0, 0, 0]))
    many = paired_difference(by_problem([0.1, 0.2] * 5), by_problem([0.0] * 10))
    none = paired_difference(by_problem([0.1, -0.1] * 5), by_problem([0.0] * 10))
    first, second, third = with_holm([few, many, none])
    assert math.isnan(first.p_holm), "three problems make no test, so none to adjust"
    assert second.p_holm == pytest.approx(2 * many.test.p)
    assert (second.n_comparisons, third.p_holm) == (2, 1)
    assert math.isnan(many.p_holm)


# --- the interval and the p-value ------------------------------------------------------------------


def data_sets(count: int) -> Any:
    """Differences of many kinds: skewed, tied, two-point, many zeros, 2 to 24 problems."""
    generator = np.random.default_rng(0)
    for number in range(count):
        n = int(generator.integers(2, 19))
        kind = number % 4
        if kind == 0:
            yield generator.normal(0.05, 0.1, n).clip(-1, 1)
        elif kind == 1:
            yield (generator.exponential(0.2, n) - 0.1).clip(-1, 1)
        elif kind == 2:
            yield generator.choice([-1.0, 0.0, 1.0], n, p=[0.1, 0.5, 0.4])
        else:
            yield np.round(generator.normal(0.1, 0.2, n), 1).clip(-1, 1)


def test_interval_and_p_value_never_contradict_each_other() -> None:
    contradictions = []
    for differences in data_sets(600):
        estimate, test = mean_difference(differences)
        assert -1 <= estimate.low <= estimate.value + 1e-12 <= estimate.high + 2e-12 <= 1 + 4e-12
        if not math.isnan(test.p) and (estimate.low > 0 or estimate.high < 0) != (test.p <= 0.05):
            contradictions.append((differences, estimate, test))
    assert not contradictions


@pytest.mark.parametrize("n", [6, 7, 9])
def test_interval_covers_hartigans_typical_values(n: int) -> None:
    """Hartigan (1969): of 2^n - 1 subset means the k-th smallest and largest; listed here one by one."""
    differences = np.random.default_rng(n).exponential(0.2, n)
    means = sorted(np.mean(subset) for size in range(1, n + 1) for subset in itertools.combinations(differences, size))
    k = math.floor(0.025 * 2**n)
    estimate, test = mean_difference(differences)
    t_low, t_high = stats.ttest_1samp(differences, 0).confidence_interval()
    assert estimate.low == pytest.approx(min(means[k - 1], t_low))
    assert estimate.high == pytest.approx(min(1, max(means[-k], t_high)))
    assert test.p == pytest.approx(max(stats.ttest_1samp(differences, 0).pvalue, sign_flip_test(differences).p))


def test_fewer_than_six_problems_have_an_interval_and_no_p_value() -> None:
    differences = [0.4, 0.5, 0.6, 0.5, 0.45]
    estimate, test = mean_difference(differences)
    assert math.isnan(test.p)
    assert test.smallest_p == 2 / 2**5
    assert estimate.method == IF_NORMAL
    assert (estimate.low, estimate.high) == pytest.approx(
        stats.ttest_1samp([0.4, 0.5, 0.6, 0.5, 0.45], 0).confidence_interval()
    )


def test_an_interval_stays_within_what_the_metric_allows() -> None:
    estimate, _ = mean_difference([1, 0, 0, 0.2])
    assert (estimate.low, estimate.high) > (-1, 0)
    assert mean_difference([1, 1, 1, 0.9])[0].high == 1
    assert mean_difference([1, 5, 5, 5], bounds=(1, 6))[0].high == 5


@pytest.mark.parametrize(("value", "n"), [(0.0, 4), (0.0, 13), (0.3, 13), (1.0, 8)])
def test_equal_differences_get_a_dirichlet_interval_and_its_p_value(value: float, n: int) -> None:
    estimate, test = mean_difference([value] * n)
    weights = np.random.default_rng(0).dirichlet([n, 0.5, 0.5], 200_000)
    low, high = np.quantile(weights @ [value, -1, 1], [0.025, 0.975])
    assert estimate.low == pytest.approx(low, abs=0.01)
    assert estimate.high == pytest.approx(1 if value == 1 else high, abs=0.01)
    assert math.isnan(test.p) == (n < 6)
    if n >= 6:
        assert (test.p <= 0.05) == (estimate.low > 0)


def test_equal_differences_of_a_metric_without_bounds_leave_everything_open() -> None:
    estimate, _ = mean_difference([0.1] * 8, bounds=None)
    assert math.isnan(estimate.low)
    assert estimate.reason


# --- how many problems ------------------------------------------------------------------------------


def advice(sd: float, difference: float, **how: Any) -> ProblemsNeeded:
    """What is advised where there is some spread."""
    needed = problems_needed(sd, difference, **how)
    assert needed is not None
    return needed


@pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_problems_needed_agree_with_published_power_tables(effect: float, n: int) -> None:
    """Two-sided paired t-test, level 0.05, power 0.80: sample sizes as G*Power 3.1 gives them."""
    assert advice(1.0, effect, pilot=13).n == n
    assert advice(0.5, -effect / 2, pilot=13).n == n


@pytest.mark.parametrize("comparisons", [1, 3, 5])
def test_problems_needed_reaches_the_power_of_the_whole_rule_in_simulation(comparisons: int) -> None:
    """4,000 data sets: the standard error of the simulated power is below 0.007."""
    n = advice(0.05, 0.03, pilot=13, n_comparisons=comparisons).n
    draws = np.random.default_rng(0).normal(0.03, 0.05, (4000, n))
    p = np.array([mean_difference(row, seed=1)[1].p for row in draws[:400]])
    t = np.asarray(stats.ttest_1samp(draws, 0, axis=1).pvalue)
    assert 0.8 - 0.02 < (t <= 0.05 / comparisons).mean() < 0.8 + 0.06
    assert (p <= 0.05 / comparisons).mean() > 0.8 - 0.07


def test_few_problems_that_the_sign_flips_cannot_use_are_never_advised() -> None:
    assert advice(0.001, 0.5, pilot=4).n == 6
    assert advice(0.001, 0.5, pilot=4, n_comparisons=3).n == fewest_problems(3) == 7
    assert fewest_problems(5) == 8


def test_the_range_is_what_the_pilots_spread_leaves_open() -> None:
    """(P - 1) s^2 / sigma^2 is chi-squared: of pilots of 4, 10 % see so little spread that the truth is above high."""
    needed = advice(0.05, 0.03, pilot=4)
    assert needed.low < needed.n < needed.high
    truth = advice(0.05, 0.03, pilot=4).n
    pilots = np.random.default_rng(0).normal(0, 0.05, (2000, 4)).std(axis=1, ddof=1)
    ranges = [advice(sd, 0.03, pilot=4) for sd in pilots]
    assert np.mean([r.high < truth for r in ranges]) == pytest.approx(0.1, abs=0.03)


def test_no_spread_says_nothing_about_the_advice() -> None:
    assert problems_needed(0.0, 0.1, pilot=4) is None
    assert problems_needed(NAN, 0.1, pilot=4) is None


@pytest.mark.parametrize(
    "arguments", [{"difference": 0}, {"difference": 1, "power": 1}, {"difference": 1, "level": 95}]
)
def test_problems_needed_refuses_what_has_no_answer(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        problems_needed(1.0, pilot=5, **arguments)
