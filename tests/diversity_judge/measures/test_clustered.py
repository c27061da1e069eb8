"""Intervals over clusters, held against brute force, scipy and simulated data."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.clustered import codes_of, mean_of, of_sums, ratio, share_of, sums_by
from diversity_judge.measures.probes.retest import pooled_sd


def _names(codes: NDArray[np.intp]) -> NDArray[np.str_]:
    return np.array([f"p{code}" for code in codes])


def test_mean_is_that_of_pairs_and_its_error_is_what_leaving_out_each_problem_gives() -> None:
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 7, 40)
    values = generator.normal(2, 1, 40)
    found = mean_of(values, _names(codes), bounds=(-5, 5))
    without = np.array([values[codes != code].mean() for code in range(7)])
    se = np.sqrt(6 / 7 * ((without - without.mean()) ** 2).sum())
    assert found.value == pytest.approx(values.mean())
    assert found.se == pytest.approx(se)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 6, values.mean(), se))


def test_missing_values_are_left_out_and_two_problems_give_no_interval() -> None:
    found = mean_of(np.array([1.0, np.nan, 3.0]), np.array(["a", "a", "b"]), bounds=(0, 5))
    assert found.value == 2
    assert np.isnan(found.low)
    assert "an interval needs 3" in found.reason


def test_equal_values_leave_open_what_so_many_cannot_exclude() -> None:
    """40 answers of 5: with 97.5 % confidence no more than 1 - 0.025^(1/40) of all differ, at worst by 5."""
    found = mean_of(np.full(40, 5.0), _names(np.arange(40) % 8), bounds=(0, 5))
    assert (found.low, found.high) == pytest.approx((5 * 0.025 ** (1 / 40), 5.0))


def test_a_share_of_independent_pairs_is_clopper_and_pearsons_for_about_as_many() -> None:
    """Each pair a problem of its own: the effective number is n up to the degrees of freedom and (n - 1) / n."""
    flags = np.arange(60) < 9
    found = share_of(flags, _names(np.arange(60)))
    exact = stats.binomtest(9, 60).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.005)


def test_a_share_of_none_counts_all_pairs() -> None:
    found = share_of(np.zeros(50, bool), _names(np.arange(50) % 5))
    exact = stats.binomtest(0, 50).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_a_share_of_pairs_that_agree_within_problems_is_worth_the_problems() -> None:
    codes = np.repeat(np.arange(20), 10)
    found = share_of(codes < 6, _names(codes))
    exact = stats.binomtest(6, 20).proportion_ci(0.95, method="exact")
    assert found.high - found.low == pytest.approx(exact.high - exact.low, rel=0.1)


def test_a_spread_has_its_interval_on_the_log() -> None:
    generator = np.random.default_rng(1)
    sums = np.column_stack([generator.chisquare(4, 30), np.full(30, 4.0)])
    found = of_sums(pooled_sd, sums, scale="log")
    assert found.low * found.high == pytest.approx(found.value**2)


def test_one_problem_that_decides_alone_leaves_no_interval() -> None:
    found = of_sums(lambda s: ratio(s[..., 0], s[..., 1]), np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]))
    assert found.value == 1
    assert "one problem alone" in found.reason


@pytest.mark.parametrize("n_problems", [6, 13, 30])
def test_mean_and_share_hold_the_truth_as_often_as_they_say(n_problems: int) -> None:
    """Problem effects as large as those of pairs; 600 data sets have a Monte Carlo error of 0.9 points."""
    generator = np.random.default_rng(n_problems)
    held = []
    for _ in range(600):
        codes = np.repeat(np.arange(n_problems), 6)
        values = generator.normal(0, 0.7, n_problems)[codes] + generator.normal(0, 0.7, len(codes))
        mean = mean_of(values, _names(codes), bounds=(-5, 5))
        share = share_of(values > 0, _names(codes))
        held.append((mean.low <= 0 <= mean.high, share.low <= 0.5 <= share.high))
    for coverage in np.mean(held, axis=0):
        assert 0.92 <= coverage <= 0.99


def test_sums_are_taken_by_cluster() -> None:
    codes = codes_of(np.array(["b", "a", "b"]))
    assert sums_by(codes, [np.array([1.0, 2.0, 3.0])]).tolist() == [[2.0], [4.0]]
