"""Association within problems against regression with a dummy for each problem, Spearman, and planted data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from diversity_judge.measures.association import rank_correlation_within, slope_within

Array = np.ndarray[Any, Any]
P, S = 12, 4


def planted(seed: int, slope: float, noise: float = 0.1) -> tuple[Array, Array, list[int]]:
    """y follows x within a problem, and against x between problems: hard problems are diverse and gain little."""
    generator = np.random.default_rng(seed)
    level = generator.normal(0, 1, P)[:, None]
    x = level + generator.normal(0, 0.3, (P, S))
    y = slope * (x - level) - 2 * level + generator.normal(0, noise, (P, S))
    return x.ravel(), y.ravel(), [problem for problem in range(P) for _ in range(S)]


def dummies(x: Array, y: Array, problems: list[int]) -> float:
    """Least squares with one intercept a problem."""
    names = sorted(set(problems))
    design = np.column_stack([x, *((np.array(problems) == name).astype(float) for name in names)])
    return float(np.linalg.lstsq(design, y, rcond=None)[0][0])


def test_the_slope_is_that_of_a_regression_with_a_dummy_for_each_problem() -> None:
    x, y, problems = planted(0, 0.5)
    found = slope_within(x.tolist(), y.tolist(), problems)
    assert found.value == pytest.approx(dummies(x, y, problems))
    assert np.polyfit(x, y, 1)[0] < 0 < found.value, "problems confound what is not looked at within them"


def test_the_interval_is_that_of_leaving_out_each_problem() -> None:
    x, y, problems = planted(1, 0.5)
    found = slope_within(x.tolist(), y.tolist(), problems)
    names = np.array(problems)
    without = [dummies(x[names != p], y[names != p], names[names != p].tolist()) for p in range(P)]
    se = math.sqrt((P - 1) / P * sum((value - found.value) ** 2 for value in without))
    half = stats.t.ppf(0.975, P - 1) * se
    assert (found.se, found.low, found.high) == pytest.approx((se, found.value - half, found.value + half))
    assert found.n == P


def test_the_interval_holds_a_planted_slope_as_often_as_it_says() -> None:
    samples = [planted(seed, 0.3, noise=0.5) for seed in range(300)]
    found = [slope_within(x.tolist(), y.tolist(), problems) for x, y, problems in samples]
    assert 0.92 <= np.mean([e.low <= 0.3 <= e.high for e in found]) <= 0.985


def test_an_exact_line_has_its_slope() -> None:
    x, y, problems = planted(2, 0.7, noise=0)
    found = slope_within(x.tolist(), y.tolist(), problems)
    assert (found.value, found.low, found.high) == pytest.approx((0.7, 0.7, 0.7))


def test_the_rank_correlation_of_one_problem_is_spearmans() -> None:
    x, y = np.random.default_rng(5).integers(0, 6, (2, 9)).astype(float)
    found = rank_correlation_within(x.tolist(), y.tolist(), ["p"] * 9)
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert math.isnan(found.low)
    assert "an interval needs 4" in found.reason


def test_the_rank_correlation_does_not_see_what_problems_differ_in() -> None:
    x, y, problems = planted(3, 0.5, noise=0.01)
    names = np.array(problems)
    found = rank_correlation_within(x.tolist(), y.tolist(), problems)
    # With no ties and as many strategies on each, pooled ranks give the mean of the problems' own correlations.
    assert found.value == pytest.approx(
        np.mean([stats.spearmanr(x[names == p], y[names == p]).statistic for p in range(P)])
    )
    assert -1 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(("x", "y"), [([1, 1, 2, 2], [0, 1, 0, 1]), ([], [])])
def test_what_does_not_vary_within_a_problem_says_nothing(x: list[float], y: list[float]) -> None:
    found = slope_within(x, y, ["a", "a", "b", "b"][: len(x)])
    assert (math.isnan(found.value), found.n) == (True, 0)
    assert "does not vary" in found.reason
