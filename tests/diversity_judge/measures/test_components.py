"""Components of variance against the model that the scores were made with."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from numpy.typing import NDArray

from diversity_judge.measures.components import Components, variance_components
from diversity_judge.measures.dyadic import relation_covariances
from diversity_judge.measures.intervals import group_estimate
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.probes.sample import Sample
from tests.diversity_judge.measures.planted import Study

TRUTH = {"problem": 0.03, "strategy_by_problem": 0.015, "response": 0.015, "pair": 0.06, "order": 0.01, "draw": 0.03}
"""Small enough that scores around 2.5 never reach an end of the scale."""


@pytest.fixture(scope="module")
def studies() -> list[Components]:
    generator = np.random.default_rng(0)
    return [Study.draw(generator, TRUTH, n_problems=20, n_responses=7).components() for _ in range(150)]


@pytest.mark.parametrize("name", TRUTH)
def test_a_component_is_unbiased_and_its_interval_holds_the_truth(studies: list[Components], name: str) -> None:
    """150 studies: the mean lies within 4 of its standard errors, coverage within 3.5 of 95 %, 1.8 points each."""
    found = [next(c for c in study.all if c.name == name) for study in studies]
    values = np.array([c.variance for c in found])
    assert values.mean() == pytest.approx(TRUTH[name], abs=4 * values.std() / math.sqrt(len(values)))
    coverage = np.mean([c.ci_low <= TRUTH[name] <= c.ci_high for c in found])
    assert coverage >= 0.885


def test_the_moments_are_those_of_the_groups_own_interval() -> None:
    generator = np.random.default_rng(1)
    scores = np.clip(generator.normal(2.5, 0.3, (9, 9)) + generator.normal(0, 0.6, (9, 1)), 0, 5)
    scores = (scores + scores.T) / 2
    wanted = np.triu(np.ones((9, 9), bool), 1)
    matrix = SimilarityMatrix(np.where(wanted, scores, np.nan), wanted)
    found = relation_covariances(matrix)
    assert found.mean == pytest.approx((5 * group_estimate(matrix).se) ** 2)
    assert math.isnan(found.reverse)


def test_without_asking_again_the_judges_noise_stays_in_the_pair() -> None:
    study = Study.draw(np.random.default_rng(2), TRUTH, n_problems=30, n_responses=8)
    alone, apart = variance_components(study.groups()), study.components()
    assert math.isnan(alone.draw.variance)
    assert math.isnan(alone.noise)
    assert "order not taken off, draw not taken off" in alone.pair.detail
    together = apart.pair.variance + apart.order.variance + apart.draw.variance
    assert alone.pair.variance == pytest.approx(together)


def test_one_strategy_has_no_strategy_by_problem_and_two_problems_have_no_problem() -> None:
    generator = np.random.default_rng(3)
    one = Study.draw(generator, TRUTH, n_problems=10, n_responses=6, n_strategies=1).components()
    assert "one strategy" in one.strategy_by_problem.detail
    assert one.problem.variance > 0
    few = variance_components(Study.draw(generator, TRUTH, n_problems=2, n_responses=6).groups())
    assert math.isnan(few.problem.variance)
    assert math.isnan(few.response.ci_low)


def test_a_judge_that_never_changes_its_mind_has_no_draw_component() -> None:
    quiet = {**TRUTH, "draw": 0.0, "order": 0.0}
    found = Study.draw(np.random.default_rng(4), quiet, n_problems=12, n_responses=6).components()
    assert found.draw.variance == pytest.approx(0, abs=1e-12)
    assert found.order.variance == pytest.approx(0, abs=1e-12)


def _sample(scores: NDArray[np.float64]) -> Sample:
    at = np.arange(len(scores))
    return Sample(np.array([f"p{i % 15}" for i in at]), np.array(["s"] * len(at)), scores)


def test_templates_vary_by_what_draws_alone_do_not_explain() -> None:
    """Three phrasings whose scores differ by sd 0.3 beside draws of sd 0.4: 0.09, give or take 4 standard errors."""
    generator = np.random.default_rng(5)
    true = generator.uniform(1.5, 3.5, 900)[:, None]
    retest = _sample(true + generator.normal(0, 0.4, (900, 3)))
    templates = _sample(true + generator.normal(0, 0.3, (900, 3)) + generator.normal(0, 0.4, (900, 3)))
    found = variance_components([], retest, templates=templates).template
    assert found is not None
    assert found.variance == pytest.approx(0.09, abs=0.04)
    assert found.ci_low <= 0.09 <= found.ci_high


def test_groups_of_different_problems_are_told_by_name() -> None:
    study = Study.draw(np.random.default_rng(6), TRUTH, n_problems=6, n_responses=5)
    by_problem: dict[str, list[JudgedGroup]] = defaultdict(list)
    for group in study.groups():
        by_problem[group.problem].append(group)
    incomplete = [group for groups in by_problem.values() for group in groups][1:]
    assert variance_components(incomplete).problem.n == 5


def test_draws_that_differ_in_one_problem_of_very_unequal_ones_have_an_interval_nonetheless() -> None:
    """Its upper end is e to so large a power that no number holds it."""
    scores = np.full((2000, 2), 3.0)
    scores[0] = (2.0, 3.0)
    sample = Sample(np.array(["a", "b"] + ["c"] * 1998), np.full(2000, "s"), scores)
    draw = variance_components([], sample).draw
    assert draw.variance == pytest.approx(0.5 / 2000)
    assert draw.ci_low < draw.variance < draw.ci_high < np.inf
