"""What a study will show: against covariances summed one by one, simulation, and what was measured elsewhere."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.plan_kept import Study, kept_by
from diversity_judge.measures.components import variance_components
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.paired import LEVEL, mean_difference
from diversity_judge.measures.power import POWER, detectable_difference, problems_needed
from diversity_judge.measures.retest import Retest
from diversity_judge.measures.study import (
    ASSURANCE,
    TOLERANCE,
    Sample,
    difference_width,
    group_variance,
    mean_group_variance,
    smallest,
    strategy_width,
    width_factor,
)
from diversity_judge.measures.variances import ASSUMED, Variances, variances_of
from diversity_judge.planning.pairs import circulant_pairs
from diversity_judge.rubric import MAX_SCORE
from tests.diversity_judge.measures.planted import Study as PlantedStudy

ALL = Sample(32, 496)


@pytest.mark.parametrize("pairs", [8, 12, 28])
@pytest.mark.parametrize("draws", [1, 3])
def test_the_variance_of_a_group_is_the_sum_of_the_covariances_of_its_pairs(pairs: int, draws: int) -> None:
    cells = circulant_pairs(8, pairs, seed=3)
    variances = replace(ASSUMED, order=0.004)
    for orders, of_order in ((1, 0.004), (2, 0.0)):
        own = variances.pair + of_order + variances.noise / draws / orders
        shared = [len({*one} & {*other}) * variances.response for one in cells for other in cells]
        expected = (sum(shared) + own * pairs) / pairs**2
        # Balanced designs have the formula exactly; 12 pairs of 8 responses are balanced too, 3 each.
        assert group_variance(variances, Sample(8, pairs, draws, orders)) == pytest.approx(expected)


def test_the_assumed_variances_give_the_widths_that_were_measured_on_graded_responses() -> None:
    """To the two digits with which they are known."""

    def ratio(width: float, whole: float) -> float:
        return round(width / whole, 2)

    few, some, whole = (group_variance(ASSUMED, Sample(32, pairs)) for pairs in (32, 124, 496))
    aided = group_variance(ASSUMED, Sample(32, 32), surrogate_r2=0.7)
    strategy = strategy_width(ASSUMED, whole, 13)
    difference = difference_width(ASSUMED, whole, 13)
    assert 1.11 <= ratio(strategy_width(ASSUMED, few, 13), strategy) <= 1.15
    assert 1.03 <= ratio(strategy_width(ASSUMED, aided, 13), strategy) <= 1.05
    assert 1.27 <= ratio(difference_width(ASSUMED, few, 13), difference) <= 1.33
    assert 1.09 <= ratio(difference_width(ASSUMED, aided, 13), difference) <= 1.11
    assert 1.07 <= ratio(difference_width(ASSUMED, some, 13), difference) <= 1.10


def test_a_surrogate_changes_nothing_where_all_pairs_are_judged_and_never_widens() -> None:
    assert group_variance(ASSUMED, ALL, 0.7) == pytest.approx(group_variance(ASSUMED, ALL))
    for r2 in (0.01, 0.2, 0.7):
        assert group_variance(ASSUMED, Sample(32, 32), r2) <= group_variance(ASSUMED, Sample(32, 32))


def test_groups_without_a_pair_have_no_variance_and_do_not_count() -> None:
    assert math.isnan(group_variance(ASSUMED, Sample(1, 0)))
    samples = [Sample(8, 8), Sample(1, 0), Sample(8, 28)]
    both = (group_variance(ASSUMED, samples[0]) + group_variance(ASSUMED, samples[2])) / 2
    assert mean_group_variance(ASSUMED, samples) == pytest.approx(both)


@pytest.mark.parametrize("degrees", [5, 12, 39, 400])
def test_a_planned_width_is_kept_within_tolerance_by_as_many_studies_as_promised(degrees: int) -> None:
    seen = np.sqrt(np.random.default_rng(7).chisquare(degrees, 20_000) / degrees)
    kept = float((seen <= width_factor(degrees) * (1 + TOLERANCE)).mean())
    assert kept >= ASSURANCE
    assert float((seen <= width_factor(degrees)).mean()) >= 0.49


@pytest.mark.parametrize("n_problems", [13, 40])
@pytest.mark.parametrize("n_comparisons", [1, 3])
def test_the_detectable_difference_needs_so_many_problems(n_problems: int, n_comparisons: int) -> None:
    seen = detectable_difference(0.08, n_problems, n_comparisons=n_comparisons)
    needed = problems_needed(0.08, seen * (1 + 1e-9), pilot=20, n_comparisons=n_comparisons)
    assert needed is not None
    assert needed.n == n_problems


@pytest.mark.parametrize("n_problems", [6, 8])
def test_with_few_problems_both_tests_see_the_detectable_difference(n_problems: int) -> None:
    effect = detectable_difference(1.0, n_problems)
    studies = np.random.default_rng(5).normal(effect, 1, (800, n_problems))
    power = np.mean([mean_difference(study, bounds=None)[1].p <= LEVEL for study in studies])
    assert power == pytest.approx(POWER, abs=0.04)


def test_too_few_problems_detect_nothing() -> None:
    assert detectable_difference(0.05, 5) == math.inf
    assert detectable_difference(0.05, 7, n_comparisons=10) == math.inf  # 2^-6 > 0.05 / 10


def test_the_smallest_number_that_is_enough() -> None:
    assert [smallest(lambda n, at=at: n >= at, 3, 20) for at in (1, 3, 11, 20, 21)] == [3, 3, 11, 20, None]  # type: ignore[misc]


def test_a_small_study_keeps_its_plan() -> None:
    study = Study(13, Sample(12, 12))
    for row in kept_by(study, 200, np.random.default_rng(1)):
        assert row.is_kept, row


def simulated(planted: Variances, *, draws: int, both_orders: bool) -> list[JudgedGroup]:
    """Groups of 16 responses from planted variances: 40 problems under 3 strategies."""
    generator, groups, n = np.random.default_rng(11), [], 16
    wanted = np.zeros((n, n), dtype=np.bool_)
    first, second = np.array(circulant_pairs(n, 48, seed=0)).T
    wanted[first, second] = True
    if both_orders:
        wanted |= wanted.T
    for problem in range(40):
        level = generator.normal(0, math.sqrt(planted.problem - planted.difference / 2))
        for strategy in ("a", "b", "c"):
            mean = planted.diversity + level + generator.normal(0, math.sqrt(planted.difference / 2))
            effect = generator.normal(0, math.sqrt(planted.response), n)
            pair = np.triu(generator.normal(0, math.sqrt(planted.pair), (n, n)), 1)
            of_order = 0.0 if math.isnan(planted.order) else math.sqrt(planted.order)
            order = of_order * np.triu(generator.choice((-1.0, 1.0), (n, n)), 1) if of_order else np.zeros((n, n))
            asked = generator.normal(0, math.sqrt(planted.noise), (draws, n, n))
            cells = mean + effect[:, None] + effect + pair + pair.T + order - order.T + asked
            squares = float(((asked - asked.mean(axis=0)) ** 2)[:, wanted].sum()) * MAX_SCORE**2
            retest = Retest(squares, (draws - 1) * int(wanted.sum()))
            scores = np.where(wanted, (1 - cells.mean(axis=0)) * MAX_SCORE, np.nan)
            groups.append(JudgedGroup(str(problem), strategy, SimilarityMatrix(scores, wanted), draws, retest))
    return groups


PLANTED = Variances(diversity=0.5, response=0.002, pair=0.004, noise=0.003, problem=0.004, difference=0.002)


@pytest.mark.parametrize(("draws", "both_orders"), [(2, False), (1, True)])
def test_planted_variances_are_found(draws: int, both_orders: bool) -> None:
    found = variances_of(simulated(PLANTED, draws=draws, both_orders=both_orders))
    assert found.diversity == pytest.approx(PLANTED.diversity, abs=0.03)
    assert found.response == pytest.approx(PLANTED.response, rel=0.1)
    assert found.pair == pytest.approx(PLANTED.pair, rel=0.1)
    assert found.noise == pytest.approx(PLANTED.noise, rel=0.1)
    assert found.problem == pytest.approx(PLANTED.problem, rel=0.45)  # 40 problems: relative error 0.23
    assert found.difference == pytest.approx(PLANTED.difference, rel=0.45)


def test_what_the_order_does_is_told_apart_by_draws_in_both_orders_and_cancels_there() -> None:
    planted = replace(PLANTED, response=0.001, problem=0.001, difference=0.001, order=0.001)
    found = variances_of(simulated(planted, draws=2, both_orders=True))
    assert found.order == pytest.approx(planted.order, rel=0.1)
    assert found.pair == pytest.approx(planted.pair, rel=0.1)
    assert found.residual(2, 2) == pytest.approx(planted.pair + planted.noise / 4, rel=0.1)
    # Judged once in each order they look like noise, of which the mean of both keeps the same.
    once = variances_of(simulated(planted, draws=1, both_orders=True))
    assert math.isnan(once.order)
    assert once.noise == pytest.approx(planted.noise + 2 * planted.order, rel=0.1)
    assert once.residual(1, 2) == pytest.approx(planted.pair + planted.noise / 2, rel=0.1)


@pytest.mark.parametrize("strategies", [2, 3])
def test_both_decompositions_of_a_study_are_one(strategies: int) -> None:
    """Where all problems have all strategies and groups are alike, each is made of the other's components."""
    variances = {
        "problem": 0.09,
        "strategy_by_problem": 0.06,
        "response": 0.04,
        "pair": 0.16,
        "order": 0.0,
        "draw": 0.0,
    }
    study = PlantedStudy.draw(
        np.random.default_rng(4), variances, n_problems=12, n_responses=9, n_strategies=strategies
    )
    components, found = variance_components(study.groups()).variances(), variances_of(study.groups())
    assert min(found.response, found.pair, found.problem, found.difference) > 0  # not cut off at 0
    for name in ("response", "pair", "problem", "difference"):
        assert getattr(components, name) == pytest.approx(getattr(found, name), rel=1e-9), name


def test_without_a_second_judgment_the_noise_is_a_part_of_the_pair() -> None:
    found = variances_of(simulated(PLANTED, draws=1, both_orders=False))
    assert math.isnan(found.noise)
    assert found.pair == pytest.approx(PLANTED.pair + PLANTED.noise, rel=0.1)
    assert found.residual() == found.pair
    assert math.isnan(found.residual(draws=2))


def test_a_pilot_whose_pairs_share_no_response_says_nothing_of_them() -> None:
    wanted = np.zeros((8, 8), dtype=np.bool_)
    wanted[[0, 2, 4, 6], [1, 3, 5, 7]] = True
    scores = np.where(wanted, np.arange(8.0)[:, None] % 5, np.nan)
    with pytest.raises(ValueError, match="share"):
        variances_of([JudgedGroup("p", "a", SimilarityMatrix(scores, wanted))])
