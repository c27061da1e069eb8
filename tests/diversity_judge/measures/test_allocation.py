"""Formulas of precision and cost against simulated studies and known numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.allocation import (
    Costs,
    StudyDesign,
    allocate,
    detectable,
    difference_variance,
    group_icc,
    group_variance,
    noise_shares,
    strategy_variance,
)
from diversity_judge.measures.components import Component, Components
from diversity_judge.measures.power import detectable_difference, problems_needed
from tests.diversity_judge.measures.planted import Study

VARIANCES = {"problem": 0.09, "strategy_by_problem": 0.04, "response": 0.04, "pair": 0.16, "order": 0.02, "draw": 0.09}
DESIGN = StudyDesign(n_problems=20, n_strategies=2, n_responses=8, pairs_per_group=28)


def known(**variances: float) -> Components:
    each = {**VARIANCES, **variances}
    return Components(**{name: Component(name, variance, 0.0, 9.0, 9, "") for name, variance in each.items()})


@pytest.fixture(scope="module")
def diversities() -> NDArray[np.float64]:
    """(1000, P, S) of simulated studies."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        study = Study.draw(generator, VARIANCES, n_problems=20, n_responses=8)
        found.append(1 - study.scores[:, :, study.wanted].mean(axis=2) / 5)
    return np.array(found)


def test_variance_of_a_strategy_and_of_a_difference_is_that_of_simulated_studies(
    diversities: NDArray[np.float64],
) -> None:
    """A variance of 1000 values is known to 4.5 %; within 3 of these errors."""
    strategies = np.array([study.mean(axis=0) for study in diversities])
    assert strategies[:, 0].var() == pytest.approx(strategy_variance(known(), DESIGN), rel=0.135)
    differences = strategies @ np.array([1.0, -1.0])
    assert differences.var() == pytest.approx(difference_variance(known(), DESIGN), rel=0.135)


def test_icc_is_the_correlation_of_a_group_measured_twice() -> None:
    generator = np.random.default_rng(1)
    between = generator.normal(0, math.sqrt(0.13) / 5, 200_000)
    noise = math.sqrt(group_variance(known(), DESIGN))
    twice = between + generator.normal(0, noise, (2, len(between)))
    assert group_icc(known(), DESIGN) == pytest.approx(stats.pearsonr(*twice).statistic, abs=0.005)


def test_group_variance_is_the_known_formula() -> None:
    """V = 4 s_r^2 / n + (s_h^2 + s_o^2 + s_e^2 / K) / m; both orders cancel the order and halve the noise."""
    one = replace(DESIGN, draws=3)
    assert group_variance(known(), one) * 25 == pytest.approx(4 * 0.04 / 8 + (0.16 + 0.02 + 0.03) / 28)
    both = replace(DESIGN, orders=2)
    assert group_variance(known(), both) * 25 == pytest.approx(4 * 0.04 / 8 + (0.16 + 0.045) / 28)
    half = replace(DESIGN, draws=1.5)
    assert group_variance(known(), half) * 25 == pytest.approx(4 * 0.04 / 8 + (0.18 + 0.09 * 0.75) / 28)


def test_shares_of_noise_add_nothing_that_is_not_the_judges() -> None:
    shares = noise_shares(known(), DESIGN)
    assert shares["group"] == pytest.approx((0.11 / 28) / (4 * 0.04 / 8 + 0.27 / 28))
    assert shares["strategy"] < shares["difference"] < shares["group"]
    assert noise_shares(known(draw=0.0, order=0.0), DESIGN) == {"group": 0, "strategy": 0, "difference": 0}


def test_detectable_difference_is_confirmed_with_80_percent_power() -> None:
    """By simulation of the t-test itself: 20,000 studies, Monte Carlo error 0.3 points."""
    least = detectable(known(), DESIGN)
    sd = math.sqrt(difference_variance(known(), DESIGN) * 20)
    studies = np.random.default_rng(2).normal(least, sd, (20_000, 20))
    assert np.mean(stats.ttest_1samp(studies, 0, axis=1).pvalue <= 0.05) == pytest.approx(0.8, abs=0.012)


def test_detectable_difference_and_problems_needed_are_each_others_inverse() -> None:
    least = detectable_difference(0.1, 25, n_comparisons=3)
    needed = problems_needed(0.1, least * 1.0001, pilot=25, n_comparisons=3)
    assert needed is not None
    assert needed.n == 25
    assert detectable_difference(0.1, 5) == math.inf
    assert math.isnan(detectable_difference(math.nan, 25))


def test_what_is_bought_costs_no_more_than_the_budget_and_the_best_comes_first() -> None:
    costs = Costs(per_call=0.01, per_response=0.02)
    thinned = replace(DESIGN, pairs_per_group=14)
    rows = allocate(known(), thinned, costs, 20.0)
    assert {row.spent_on for row in rows} == {"problems", "responses", "pairs", "draws"}
    assert all(row.cost <= 20.0 + 1e-9 and row.se <= row.se_before for row in rows)
    assert [row.se for row in rows] == sorted(row.se for row in rows)
    by_name = {row.spent_on: row for row in rows}
    # A problem: 2 groups of 8 responses at 0.02 and 14 calls at 0.01.
    assert by_name["problems"].after == 20 + int(20 / (2 * (8 * 0.02 + 14 * 0.01)))
    # 14 more pairs in 40 groups are 560 calls, 5.60: then all pairs are judged.
    assert by_name["pairs"].after == 28
    assert by_name["pairs"].cost == pytest.approx(5.6)
    assert by_name["draws"].calls == pytest.approx(2000)


def test_where_problems_decide_problems_are_bought_first() -> None:
    rows = allocate(known(strategy_by_problem=0.5), DESIGN, Costs(per_call=0.01), 100.0)
    assert rows[0].spent_on == "problems"


def test_a_study_that_is_full_buys_no_pairs_and_says_so() -> None:
    (row,) = [r for r in allocate(known(), DESIGN, Costs(per_call=0.01)) if r.spent_on == "pairs"]
    assert row.cost == 0
    assert "all pairs are judged" in row.detail


def test_a_call_without_a_price_is_refused() -> None:
    with pytest.raises(ValueError, match="count in calls"):
        Costs(per_call=0.0)


def test_one_strategy_is_measured_by_its_own_mean() -> None:
    components = replace(known(), strategy_by_problem=Component("strategy_by_problem", math.nan, 0, 0, 0, "one"))
    rows = allocate(components, replace(DESIGN, n_strategies=1), Costs(per_call=0.01), 10.0)
    assert rows[0].se_before == pytest.approx(math.sqrt((0.09 / 25 + group_variance(known(), DESIGN)) / 20))
    assert all(row.se <= row.se_before and math.isnan(row.detectable) for row in rows)


def test_a_judge_that_says_the_same_of_all_has_no_shares() -> None:
    nothing = known(**dict.fromkeys(VARIANCES, 0.0))
    assert all(math.isnan(share) for share in noise_shares(nothing, DESIGN).values())
    assert math.isnan(group_icc(nothing, DESIGN))
    assert detectable(nothing, DESIGN) == 0
