"""Intervals against brute-force formulas over cells, scipy, and degenerate inputs.

Coverage itself is simulated in benchmarks/coverage.py and, in short, in test_coverage.py.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.intervals import group_estimate, outcome_curve, outcome_estimate, strategy_estimate
from diversity_judge.measures.matrix import SimilarityMatrix

NAN = math.nan
Array = NDArray[Any]


def scores_with_response_effects(n: int, seed: int, *, effect: float = 1.2, noise: Any = 0.4) -> Any:
    """Continuous scores in 0..5, (n, n), not symmetric, dominated by effects of the responses."""
    generator = np.random.default_rng(seed)
    a = generator.uniform(-effect, effect, n)
    return 2.5 + (a[:, None] + a) / 1.2 + generator.uniform(-noise, noise, (n, n))


def matrix_of(scores: Array, wanted: Array) -> Any:
    return SimilarityMatrix(np.where(wanted, scores, NAN), wanted)


def upper(n: int) -> Any:
    return np.triu(np.ones((n, n), bool), 1)


def off_diagonal(n: int) -> Any:
    return ~np.eye(n, dtype=bool)


def circulant(n: int, *offsets: Any) -> Any:
    wanted = np.zeros((n, n), bool)
    for offset, i in itertools.product(offsets, range(n)):
        wanted[i, (i + offset) % n] = True
    return wanted


@pytest.mark.parametrize("design", [upper(8), circulant(9, 1, 3), circulant(12, 2)], ids=["full", "4", "2"])
def test_variance_of_a_balanced_design_is_that_of_the_disjoint_products(design: Array) -> None:
    """Var(mean) = E[mean^2] - mu^2, and the product of two disjoint cells is unbiased for mu^2.

    In a design that has each response in equally many pairs this simple estimator is the same as ours.
    """
    scores = scores_with_response_effects(len(design), seed=3)
    cells = list(zip(*np.nonzero(design), strict=True))
    disjoint = [scores[c] * scores[d] for c, d in itertools.permutations(cells, 2) if not set(c) & set(d)]
    expected = np.mean([scores[c] for c in cells]) ** 2 - np.mean(disjoint)
    assert group_estimate(matrix_of(scores, design)).se == pytest.approx(math.sqrt(expected) / 5, rel=1e-10)


def relation(c: Any, d: Any) -> Any:
    if c == d:
        return "same"
    return {2: "reverse", 1: "sharing", 0: "disjoint"}[len(set(c) & set(d))]


def missing(wanted: Array, seed: int) -> Any:
    return wanted & (np.random.default_rng(seed).random(wanted.shape) > 0.3)


@pytest.mark.parametrize(
    "design",
    [missing(upper(8), 0), missing(off_diagonal(7), 1), off_diagonal(6), missing(circulant(12, 1, 4), 2)],
    ids=["missing", "both orders, missing", "both orders", "thinned, missing"],
)
def test_variance_of_any_design_solves_the_explicit_moment_equations(design: Array) -> None:
    """Expected values of e'R e under Cov = sum c_k R_k, e = M y, are tr(M R M R_k): no shortcut used."""
    scores = scores_with_response_effects(len(design), seed=5)
    cells = list(zip(*(axis.tolist() for axis in np.nonzero(design)), strict=True))
    n = len(cells)
    relations = np.array([[relation(c, d) for d in cells] for c in cells])
    kinds = [kind for kind in ("same", "reverse", "sharing") if (relations == kind).any()]
    marks = [(relations == kind).astype(float) for kind in kinds]
    centre = np.eye(n) - 1 / n
    e = centre @ np.array([scores[c] for c in cells])
    system = np.array([[np.trace(centre @ r @ centre @ s) for s in marks] for r in marks])
    c = np.linalg.solve(system, [e @ r @ e for r in marks])
    expected = sum(ck * r.sum() for ck, r in zip(c, marks, strict=True)) / n**2
    assert group_estimate(matrix_of(scores, design)).se == pytest.approx(math.sqrt(expected) / 5, rel=1e-9)


def test_variance_is_never_below_that_of_independent_pairs() -> None:
    """Scores arranged so that every response has the same total: shared responses seem to add nothing."""
    design = circulant(16, 1)
    alternating = np.where(np.arange(16) % 2 == 0, 1.0, 4.0)
    scores = np.zeros((16, 16))
    scores[np.arange(16), (np.arange(16) + 1) % 16] = alternating
    independent = alternating.std(ddof=1) / math.sqrt(16)
    assert group_estimate(matrix_of(scores, design)).se == pytest.approx(independent / 5)


def test_interval_is_students_t_on_the_logit() -> None:
    estimate = group_estimate(matrix_of(scores_with_response_effects(10, seed=1), upper(10)), confidence=0.9)
    d = estimate.value
    half = stats.t.ppf(0.95, 9) * estimate.se / (d * (1 - d))
    logit = math.log(d / (1 - d))
    assert estimate.n == 10
    assert estimate.low == pytest.approx(1 / (1 + math.exp(-(logit - half))))
    assert estimate.high == pytest.approx(1 / (1 + math.exp(-(logit + half))))
    assert estimate.confidence == 0.9
    assert estimate.reason == ""


def test_interval_is_wider_than_with_pairs_taken_as_independent() -> None:
    scores = scores_with_response_effects(32, seed=2)
    naive = scores[upper(32)].std(ddof=1) / math.sqrt(496) / 5
    assert group_estimate(matrix_of(scores, upper(32))).se > 3 * naive


@pytest.mark.parametrize("score", [0.0, 3.0, 10 / 3, 5.0])
@pytest.mark.parametrize("design", [upper(6), off_diagonal(6), circulant(6, 1)])
def test_equal_scores_leave_open_what_six_responses_can_have_missed(design: Array, score: float) -> None:
    """0.975 of six draws see a deviating response where more than 1 - 0.025^(1/6) of the population deviate."""
    estimate = group_estimate(matrix_of(np.full((6, 6), score), design))
    deviating_pairs = 1 - 0.025 ** (2 / 6)
    value = 1 - score / 5
    assert estimate.se == 0
    assert estimate.value == pytest.approx(value)
    assert estimate.low == pytest.approx(value * (1 - deviating_pairs))
    assert estimate.high == pytest.approx(value + (1 - value) * deviating_pairs)


@pytest.mark.parametrize("n", [2, 3])
def test_too_few_responses_give_a_value_and_a_reason(n: int) -> None:
    estimate = group_estimate(matrix_of(np.full((n, n), 2.0), upper(n)))
    assert estimate.value == pytest.approx(0.6)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.se)
    assert str(n) in estimate.reason


@pytest.mark.parametrize("n", [0, 1, 5])
def test_no_score_at_all_gives_nan_and_a_reason(n: int) -> None:
    estimate = group_estimate(matrix_of(np.full((n, n), NAN), upper(n)))
    assert math.isnan(estimate.value)
    assert estimate.reason


def test_responses_without_any_score_are_not_counted() -> None:
    design = upper(8)
    design[:, 6:] = False
    assert group_estimate(matrix_of(scores_with_response_effects(8, seed=4), design)).n == 6


def test_pairs_that_all_share_one_response_give_no_interval() -> None:
    design = np.zeros((6, 6), bool)
    design[0, 1:] = True
    estimate = group_estimate(matrix_of(scores_with_response_effects(6, seed=4), design))
    assert estimate.value > 0
    assert math.isnan(estimate.high)
    assert "in common" in estimate.reason


@pytest.mark.parametrize("seed", range(20))
def test_small_groups_never_leave_the_unit_interval(seed: int) -> None:
    scores = np.random.default_rng(seed).choice([0.0, 1, 5], (4, 4), p=[0.7, 0.2, 0.1])
    estimate = group_estimate(matrix_of(scores, upper(4)))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_unbounded_strategy_interval_is_scipys_t_interval() -> None:
    values = np.random.default_rng(0).uniform(0.2, 0.6, 13)
    estimate = strategy_estimate(values, confidence=0.9, bounds=None)
    low, high = stats.t.interval(0.9, 12, loc=values.mean(), scale=stats.sem(values))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert estimate.se == pytest.approx(stats.sem(values))
    assert estimate.n == 13


def test_bounded_strategy_interval_is_the_t_interval_of_the_logit() -> None:
    values = np.random.default_rng(0).uniform(2, 6, 9)
    estimate = strategy_estimate(values, bounds=(1, 8))
    share = (values.mean() - 1) / 7
    half = stats.t.ppf(0.975, 8) * stats.sem(values) / 7 / (share * (1 - share))
    logit = math.log(share / (1 - share))
    assert estimate.low == pytest.approx(1 + 7 / (1 + math.exp(-(logit - half))))
    assert estimate.high == pytest.approx(1 + 7 / (1 + math.exp(-(logit + half))))


def test_bounded_strategy_interval_stays_inside() -> None:
    estimate = strategy_estimate([0.0, 0.0, 1.0])
    assert 0 < estimate.low < estimate.high < 1
    assert strategy_estimate([0.0, 0.0, 1.0], bounds=None).low < 0


def test_value_outside_its_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="bounds"):
        strategy_estimate([0.5, 1.5])


def test_strategy_leaves_problems_without_a_value_out_of_n() -> None:
    assert strategy_estimate([0.2, NAN, 0.4]) == strategy_estimate([0.2, 0.4])


def test_one_problem_gives_no_interval() -> None:
    estimate = strategy_estimate([0.3])
    assert (estimate.value, estimate.n) == (0.3, 1)
    assert math.isnan(estimate.low)
    assert "problem" in estimate.reason


def test_no_problem_gives_no_value() -> None:
    assert math.isnan(strategy_estimate([]).value)
    assert math.isnan(strategy_estimate([NAN]).value)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_problems_at_an_end_give_clopper_and_pearsons_interval(value: float) -> None:
    estimate = strategy_estimate([value] * 7)
    oracle = stats.binomtest(int(7 * value), 7).proportion_ci(0.95, method="exact")
    assert estimate.se == 0
    assert (estimate.low, estimate.high) == pytest.approx((oracle.low, oracle.high))


def test_equal_problems_inside_leave_open_what_stands_at_either_end() -> None:
    estimate = strategy_estimate([2.0] * 5, bounds=(1, 11))
    unseen = 1 - 0.025 ** (1 / 5)
    assert (estimate.low, estimate.high) == pytest.approx((2 - unseen, 2 + 9 * unseen))


def test_equal_values_of_a_metric_without_bounds_have_no_interval() -> None:
    estimate = strategy_estimate([2.0] * 5, bounds=None)
    assert math.isnan(estimate.low)
    assert estimate.reason


# --- outcomes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "n"), [(1, 2), (2, 4), (7, 13), (1, 30), (500, 1000)])
def test_outcomes_of_0_and_1_get_jeffreys_interval(right: int, n: int) -> None:
    estimate = outcome_estimate([1.0] * right + [0.0] * (n - right))
    assert (estimate.low, estimate.high) == pytest.approx(stats.beta(right + 0.5, n - right + 0.5).interval(0.95))


@pytest.mark.parametrize("n", [2, 4, 30])
def test_outcomes_that_all_stand_at_an_end_reach_it(n: int) -> None:
    low = stats.beta(n + 0.5, 0.5).ppf(0.025)
    assert (outcome_estimate([1.0] * n).low, outcome_estimate([1.0] * n).high) == pytest.approx((low, 1))
    assert (outcome_estimate([0.0] * n).low, outcome_estimate([0.0] * n).high) == pytest.approx((0, 1 - low))


@pytest.mark.parametrize("n", [2, 3, 13, 200])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (1.0, 10.0)])
def test_outcome_interval_is_that_of_drawn_dirichlet_weights(n: int, bounds: tuple[float, float]) -> None:
    """100,000 draws: their quantiles are known to about 2 % of the interval's width."""
    generator = np.random.default_rng(n)
    values = bounds[0] + (bounds[1] - bounds[0]) * generator.beta(0.5, 0.5, n)
    draws = generator.dirichlet(np.append(np.ones(n), [0.5, 0.5]), 100_000) @ np.append(values, bounds)
    estimate = outcome_estimate(values, bounds=bounds)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.02 * (high - low))
    assert estimate.value == pytest.approx(values.mean())


def test_outcomes_outside_their_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="bounds"):
        outcome_estimate([0.5, 1.5])


def test_outcome_of_one_problem_has_no_interval() -> None:
    assert math.isnan(outcome_estimate([1.0]).low)
    assert math.isnan(outcome_estimate([]).value)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_impossible_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError):
        strategy_estimate([0.1, 0.2], confidence=confidence)


def test_a_curve_has_the_intervals_of_its_points_alone() -> None:
    generator = np.random.default_rng(3)
    rates = generator.beta(0.4, 0.6, 25)
    curve = np.array([1 - (1 - rates) ** n for n in range(1, 20)] + [np.zeros(25), np.ones(25), rates > 0.5])
    for values, found in zip(curve, outcome_curve(curve), strict=True):
        alone = outcome_estimate(values)
        assert (found.value, found.se, found.n, found.method) == (alone.value, alone.se, alone.n, alone.method)
        assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=1e-8)


def test_a_curve_refuses_a_problem_that_is_not_at_each_point() -> None:
    with pytest.raises(ValueError, match="NaN"):
        outcome_curve(np.array([[0.5, 0.2], [0.5, np.nan]]))
