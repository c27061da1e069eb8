"""Slopes and correlations across problems: against other libraries, and against methods that do nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.across import partial_slope, rank_correlation, split_slope

Floats = NDArray[np.float64]
N = 16
"""Responses a half."""


def halves(rng: np.random.Generator, better: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Of responses that depart for the better with one chance and are right then, and are right else with another.

    Returns:
        (P, 2) share that departs for the better, and pass rate.
    """
    departs = rng.random((len(better), 2, N)) < better[:, None, None]
    is_right = departs | (rng.random((len(better), 2, N)) < right[:, None, None])
    return departs.mean(axis=2), is_right.mean(axis=2)


@pytest.mark.parametrize(("n_problems", "departing"), [(150, 0.10), (400, 0.02)])
def test_a_useless_method_has_slope_0_as_often_as_the_interval_says_and_the_plain_slope_finds_one(
    n_problems: int, departing: float
) -> None:
    rng = np.random.default_rng(0)
    covered, plain = [], []
    for _ in range(400):
        better, right = rng.beta(0.4, 0.4 / departing, n_problems), rng.beta(0.4, 0.6, n_problems)
        share, own = halves(rng, better, right)
        _, other = halves(rng, better, right)  # the same chances: nothing is gained anywhere
        found = split_slope(share, own - other)
        covered.append(np.isnan(found.low) or found.low <= 0 <= found.high)
        plain.append(np.polyfit(share[:, 0], (own - other)[:, 0], 1)[0])
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.mean(plain) > 0.1  # the same responses are in both


def test_a_slope_that_is_there_is_found_undiminished_by_noise() -> None:
    rng = np.random.default_rng(1)
    found, flattened = [], []
    for _ in range(200):
        better = rng.beta(0.6, 6.0, 200)
        share, own = halves(rng, better, np.zeros(200))
        _, other = halves(rng, np.zeros(200), np.full(200, 0.2))
        estimate = split_slope(share, own - other)  # the gain is the share - 0.2, give or take noise
        found.append(estimate.low <= 1 <= estimate.high)
        flattened.append(np.polyfit(share[:, 0], (own - other)[:, 1], 1)[0])
    assert 0.90 <= np.mean(found) <= 0.99
    assert np.mean(flattened) < 0.93


def test_a_share_that_never_differs_has_no_slope() -> None:
    found = split_slope(np.full((10, 2), 0.5), np.random.default_rng(0).normal(size=(10, 2)))
    assert np.isnan(found.value)
    assert found.reason


def test_a_partial_slope_is_that_of_least_squares_and_its_r2_what_x_adds() -> None:
    rng = np.random.default_rng(2)
    controls = rng.normal(size=(40, 2))
    x = controls @ [0.5, -1.0] + rng.normal(size=40)
    y = 0.3 * x + controls @ [1.0, 2.0] + rng.normal(size=40)

    def fit(columns: Floats, kept: NDArray[np.bool_]) -> tuple[float, float]:
        design = np.column_stack([np.ones(40), columns])[kept]
        coefficients, residual, *_ = np.linalg.lstsq(design, y[kept], rcond=None)
        return float(coefficients[-1]), float(residual[0])

    everything = np.ones(40, np.bool_)
    slope, explained = partial_slope(x, y, controls)
    value, full = fit(np.column_stack([controls, x]), everything)
    assert slope.value == pytest.approx(value)
    assert explained.value == pytest.approx(1 - full / fit(controls, everything)[1])
    without = [fit(np.column_stack([controls, x]), np.arange(40) != i)[0] for i in range(40)]
    assert slope.se == pytest.approx(np.sqrt(39 / 40 * ((np.array(without) - np.mean(without)) ** 2).sum()))


def test_without_controls_the_slope_is_that_of_a_straight_line() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 30))
    slope, explained = partial_slope(x, y, np.empty((30, 0)))
    line = stats.linregress(x, y)
    assert (slope.value, explained.value) == pytest.approx((line.slope, line.rvalue**2))


def test_a_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 6, (2, 80)).astype(np.float64)
    problems = np.repeat(np.arange(20), 4)
    found = rank_correlation(x, y, problems)
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.n == 20


def test_the_interval_of_a_rank_correlation_knows_that_decisions_of_a_problem_go_together() -> None:
    rng = np.random.default_rng(5)
    covered, blind = 0, 0
    for _ in range(300):
        own, other = rng.normal(size=(2, 40))
        problems = np.repeat(np.arange(40), 6)
        x, y = (values[problems] + 0.3 * rng.normal(size=240) for values in (own, other))
        found, alone = rank_correlation(x, y, problems), rank_correlation(x, y, np.arange(240))
        covered += found.low <= 0 <= found.high
        blind += alone.low <= 0 <= alone.high
    assert covered / 300 > 0.91
    assert blind / 300 < 0.8


def test_a_perfect_order_is_1() -> None:
    x = np.arange(12.0)
    assert rank_correlation(x, x**3, np.arange(12)).value == pytest.approx(1.0)
    assert all(a < b for a, b in pairwise(x))
