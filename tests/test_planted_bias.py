"""Short, seeded version of benchmarks/planted_bias.py: flaws are found, honesty is left alone, sizes are right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.planted_bias import component_coverage, study
from benchmarks.planted_judges import (
    JUDGES,
    Judge,
    World,
    all_pairs,
    ask,
    once_each,
    rounded_covariance,
    true_components,
)

RUNS = 8
WORLD = World()


@pytest.mark.parametrize("judge", JUDGES, ids=[judge.name for judge in JUDGES])
def test_a_flaw_is_found_and_an_honest_judge_is_not_accused(judge: Judge) -> None:
    row = study(judge, WORLD, RUNS, seed=0)
    if judge.found_by is None:
        assert row.share <= 1 / RUNS
    else:
        assert row.share >= 7 / RUNS


def test_covariance_of_rounded_scores_is_that_of_a_large_simulation() -> None:
    """A million pairs; the tolerance is about 4 standard errors of a covariance near 1."""
    total, shared = 1.4, 0.9
    generator = np.random.default_rng(0)
    common = generator.normal(WORLD.level, math.sqrt(shared), 1_000_000)
    first, second = (
        np.clip(np.rint(common + generator.normal(0, math.sqrt(total - shared), len(common))), 0, 5) for _ in range(2)
    )
    assert rounded_covariance(WORLD, total, shared) == pytest.approx(
        float(np.mean(first * second) - first.mean() * second.mean()), abs=0.006
    )
    assert rounded_covariance(WORLD, total, total) == pytest.approx(float(first.var()), abs=0.006)


def test_true_components_add_up_to_the_variance_of_a_score() -> None:
    """problem + strategy by problem + 2 response + pair + order + draw, against 4,000 problems."""
    found = true_components(WORLD, JUDGES[0])
    generator = np.random.default_rng(1)
    pairs = all_pairs(World(n_problems=4000, n_strategies=1, n_responses=4), generator)
    scores = ask(JUDGES[0], pairs, generator)[:, :, once_each(4)]
    assert found["response"] + sum(found.values()) == pytest.approx(float(scores.var()), abs=0.06)


def test_intervals_of_components_hold_the_truth_and_estimates_have_no_bias() -> None:
    for row in component_coverage(JUDGES[0], WORLD, 30, seed=0):
        assert row.share >= 0.82, row
        assert row.mean == pytest.approx(row.truth, rel=0.15, abs=0.01)
