"""Corrected diversities against their definition, exact means over draws, and closed forms."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from diversity_judge.measures.corrected import (
    FEWEST_LABELS,
    Corrected,
    LabelledGroup,
    corrected_difference,
    corrected_diversity,
)
from diversity_judge.measures.intervals import Estimate


def drawn(n_problems: int, seed: int, *, k: int = 4, n: int = 30) -> list[LabelledGroup]:
    """Two strategies of which the judge scores the second higher; k of n pairs a group labelled."""
    generator = np.random.default_rng(seed)
    groups = []
    for strategy, bias in (("a", 0.0), ("b", 0.6)):
        for problem in range(n_problems):
            y = generator.integers(0, 6, n).astype(float)
            f = np.clip(y + bias + generator.integers(-1, 2, n), 0, 5)
            at = generator.choice(n, k, replace=False)
            groups.append(LabelledGroup(f"p{problem}", strategy, float(f.mean()), y[at], f[at], float(k)))
    return groups


def of(groups: list[LabelledGroup], strategy: str) -> list[LabelledGroup]:
    return [group for group in groups if group.strategy == strategy]


def slope_without(groups: list[LabelledGroup], problem: str) -> float:
    """Least squares of Y on f with an intercept for each strategy, by numpy."""
    rest = [g for g in groups if g.problem != problem]
    y, f = np.concatenate([g.labels for g in rest]), np.concatenate([g.scores for g in rest])
    is_b = np.concatenate([[float(g.strategy == "b")] * len(g.labels) for g in rest])
    design = np.column_stack([f, 1 - is_b, is_b])
    return float(np.linalg.lstsq(design, y, rcond=None)[0][0])


def test_the_value_is_its_definition_with_lambda_from_the_other_problems() -> None:
    groups = drawn(6, 1)
    values = []
    for group in of(groups, "b"):
        slope = slope_without(groups, group.problem)
        values.append(slope * group.mean_score + (group.labels - slope * group.scores).mean())
    found = corrected_diversity(groups, "b")
    assert found.estimate.value == pytest.approx(1 - np.mean(values) / 5, rel=1e-12)
    assert (found.estimate.n, found.n_labels) == (6, 24)


def test_a_difference_is_that_of_the_two_on_the_problems_that_both_have() -> None:
    groups = drawn(6, 2)
    both = corrected_difference(groups, "b", "a").estimate.value
    assert both == pytest.approx(
        corrected_diversity(groups, "b").estimate.value - corrected_diversity(groups, "a").estimate.value, rel=1e-9
    )
    lacking = [group for group in groups if (group.problem, group.strategy) != ("p0", "a")]
    assert corrected_difference(lacking, "b", "a").estimate.n == 5


def test_with_every_pair_labelled_it_is_what_the_labels_say() -> None:
    groups = [replace(g, mean_score=float(g.scores.mean())) for g in drawn(5, 3, k=30)]
    expected = 1 - np.mean([group.labels.mean() for group in of(groups, "b")]) / 5
    assert corrected_diversity(groups, "b").estimate.value == pytest.approx(expected, rel=1e-12)


def test_over_all_draws_the_mean_is_what_all_labels_say() -> None:
    """Exact: every choice of 2 of 4 pairs in each of 3 problems; few labels, so that lambda is 1 in each."""
    generator = np.random.default_rng(4)
    y = generator.integers(0, 6, (3, 4)).astype(float)
    f = generator.integers(0, 6, (3, 4)).astype(float)
    values = []
    for choice in itertools.product(itertools.combinations(range(4), 2), repeat=3):
        groups = [
            LabelledGroup(f"p{p}", "a", float(f[p].mean()), y[p, list(at)], f[p, list(at)], 2.0)
            for p, at in enumerate(choice)
        ]
        values.append(corrected_diversity(groups, "a").estimate.value)
    assert np.mean(values) == pytest.approx(1 - y.mean() / 5, rel=1e-12)


def test_a_problem_without_a_label_counts_with_the_judges_score() -> None:
    groups = drawn(4, 5, k=2)
    nothing = np.empty(0)
    bare = LabelledGroup("p9", "a", 4.0, nothing, nothing, 0.0)
    d = np.mean([(g.labels - g.scores).mean() for g in of(groups, "a")])  # 16 labels: lambda is 1
    expected = np.mean([*(g.mean_score for g in of(groups, "a")), 4.0]) + d
    assert len(np.concatenate([g.labels for g in groups])) < FEWEST_LABELS
    found = corrected_diversity([*groups, bare], "a")
    assert found.estimate.value == pytest.approx(1 - expected / 5, rel=1e-12)
    assert found.estimate.n == 4


def test_identical_texts_are_5_by_both_and_dilute_the_correction() -> None:
    """Half the pairs of each group are of identical texts; a group of nothing else has no error at all."""
    groups = [replace(g, asked_share=0.5) for g in of(drawn(4, 6, k=2), "a")]
    nothing = np.empty(0)
    alike = LabelledGroup("p9", "a", 5.0, nothing, nothing, 0.0, asked_share=0.0)
    values = [g.mean_score + 0.5 * (g.labels - g.scores).mean() for g in groups]
    found = corrected_diversity([*groups, alike], "a").estimate.value
    assert found == pytest.approx(1 - np.mean([*values, 5.0]) / 5, rel=1e-12)


def test_against_a_strategy_of_identical_texts_the_difference_is_as_sure_as_the_other_side() -> None:
    """Nobody is asked about identical texts, so that side needs no labels and adds no variance."""
    groups = of(drawn(6, 6), "b")
    nothing = np.empty(0)
    alike = [LabelledGroup(g.problem, "same", 5.0, nothing, nothing, 0.0, asked_share=0.0) for g in groups]
    level = corrected_diversity(groups, "b")
    both = corrected_difference([*groups, *alike], "b", "same")
    assert both.estimate.value == pytest.approx(level.estimate.value, rel=1e-12)
    assert both.estimate.se == pytest.approx(level.estimate.se, rel=1e-9)
    assert both.estimate.n == 6
    assert both.estimate.low < both.estimate.value < both.estimate.high
    assert both.labels_needed(0.1) == level.labels_needed(0.1)
    assert math.isnan(corrected_diversity([*groups, *alike], "same").labels_needed(0.1)), "there is nothing to label"


def test_problems_that_are_all_alike_have_no_interval_rather_than_one_without_width() -> None:
    same = np.full(4, 3.0)
    found = corrected_diversity([LabelledGroup(f"p{p}", "a", 3.0, same, same, 4.0) for p in range(6)], "a")
    assert found.estimate.value == pytest.approx(0.4)
    assert math.isnan(found.estimate.low)
    assert found.estimate.reason == "no spread over problems"
    assert math.isnan(found.labels_needed(0.1))


def test_the_standard_error_is_that_of_leaving_out_each_problem() -> None:
    groups = drawn(7, 7, k=2)  # 28 labels: lambda is fitted, and does not change as problems are left out
    fitted = {g.problem: slope_without(groups, g.problem) for g in groups}

    def value(left_out: str) -> float:
        means = {}
        for strategy in "ab":
            mine = [g for g in of(groups, strategy) if g.problem != left_out]
            means[strategy] = np.mean(
                [fitted[g.problem] * g.mean_score + (g.labels - fitted[g.problem] * g.scores).mean() for g in mine]
            )
        return float(means["a"] - means["b"]) / 5

    without = np.array([value(f"p{p}") for p in range(7)])
    expected = math.sqrt(6 / 7 * ((without - without.mean()) ** 2).sum())
    assert corrected_difference(groups, "b", "a").estimate.se == pytest.approx(expected, rel=1e-9)


def test_few_problems_have_a_value_and_no_interval() -> None:
    found = corrected_diversity(drawn(2, 8), "a").estimate
    assert not math.isnan(found.value)
    assert math.isnan(found.low)
    assert found.reason


def corrected(se: float, label_variance: float, n_labels: int) -> Corrected:
    estimate = Estimate(0.1, 0.0, 0.2, se, 40, "")
    return Corrected(estimate, 1.0, n_labels, label_variance)


def test_the_labels_needed_leave_the_variance_that_shows_the_difference_in_80_percent() -> None:
    found = corrected(0.03, 0.05, 100)
    needed = found.labels_needed(0.08)
    se = math.sqrt(0.03**2 - 0.05 / 100 + 0.05 / needed)
    # t with 39 degrees: a share 0.8 of it lies below 0.851, and 0.975 below 2.023
    assert 0.08 / se == pytest.approx(2.0227 + 0.8507, abs=0.02)


def test_no_number_of_labels_lessens_what_the_problems_differ() -> None:
    assert math.isinf(corrected(0.03, 0.01, 100).labels_needed(0.03))


def test_without_an_interval_nobody_knows_how_many_labels() -> None:
    assert math.isnan(corrected(math.nan, 0.1, 10).labels_needed(0.05))
