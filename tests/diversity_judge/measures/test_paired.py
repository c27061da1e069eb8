"""Paired comparisons against exhaustive enumeration, scipy, hand-worked and published numbers."""

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from diversity_judge.measures import paired as comparison
from diversity_judge.measures.paired import (
    holm,
    paired_difference,
    problems_needed,
    sign_flip_test,
    with_holm,
)

NAN = math.nan


def by_problem(values: Iterable[float]) -> dict[str, float]:
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
    assert sign_flip_test(differences).p == pytest.approx(1 / 20_000)


def test_drawing_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(2).normal(0.2, 1, 40)
    whole = sign_flip_test(differences)
    monkeypatch.setattr(comparison, "SIGN_BYTES", 8 * 40 * 1000)
    assert sign_flip_test(differences).p == pytest.approx(whole.p, abs=0.02)


def test_difference_is_the_paired_t_interval() -> None:
    generator = np.random.default_rng(0)
    level = generator.uniform(0.2, 0.6, 13)
    a, b = level + generator.normal(0.06, 0.05, 13), level
    result = paired_difference(by_problem(a), by_problem(b), confidence=0.9)
    low, high = stats.ttest_rel(a, b).confidence_interval(0.9)
    assert result.estimate.value == pytest.approx((a - b).mean())
    assert (result.estimate.low, result.estimate.high) == pytest.approx((low, high))
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
    assert result.test.p == 1


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
    many = paired_difference(by_problem([0.1] * 10), by_problem([0.0] * 10))
    first, second = with_holm([few, many])
    assert (few.test.p, many.test.p) == (1 / 4, 1 / 512)
    assert (first.p_holm, second.p_holm) == (1 / 4, 2 / 512)
    assert math.isnan(few.p_holm)


@pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_problems_needed_agree_with_published_power_tables(effect: float, n: int) -> None:
    """Two-sided paired t-test, level 0.05, power 0.80: sample sizes as G*Power 3.1 gives them."""
    assert problems_needed(1.0, effect) == n
    assert problems_needed(0.5, -effect / 2) == n


def test_problems_needed_reaches_the_power_in_simulation() -> None:
    """8,000 data sets: the standard error of the simulated power is below 0.005."""
    n = problems_needed(0.1, 0.06)
    assert n is not None
    draws = np.random.default_rng(0).normal(0.06, 0.1, (8000, n))
    p = stats.ttest_1samp(draws, 0, axis=1).pvalue
    assert 0.8 - 0.02 < np.mean(p < 0.05) < 0.8 + 0.06


def test_no_spread_says_nothing_about_the_problems_needed() -> None:
    assert problems_needed(0.0, 0.1) is None
    assert problems_needed(NAN, 0.1) is None


@pytest.mark.parametrize(
    "arguments", [{"difference": 0}, {"difference": 1, "power": 1}, {"difference": 1, "confidence": 95}]
)
def test_problems_needed_refuses_what_has_no_answer(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        problems_needed(1.0, **arguments)
