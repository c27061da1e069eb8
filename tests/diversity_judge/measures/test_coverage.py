"""Short, seeded version of benchmarks/coverage.py: the intervals hold the truth often enough, not always.

400 data sets a row have a Monte Carlo error of about 1.1 points, so the bounds here are 93 - 3 and
98 + 1.5; pairs taken as independent, or a jackknife that counts pairs twice, miss them by far.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.coverage import (
    DESIGNS,
    N_PROBLEMS,
    N_RESPONSES,
    PROBLEM_SD,
    SETTINGS,
    THINNED,
    Design,
    ScoreModel,
    count_coverage,
    difference_row,
    draw_one_by_one,
    full,
    group_row,
    strategy_row,
)
from benchmarks.coverage_surrogate import KINDS, JudgeModel, Kind, Labelling, corrected_row, problem_rows, values_of
from benchmarks.coverage_surrogate import group_row as sharp_row
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.surrogate import Surrogate

REPS = 400


def by_name(items: Sequence[ScoreModel]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("model", items, ids=[model.name for model in items])


@by_name(SETTINGS)
def test_closed_form_diversity_agrees_with_a_large_simulation(model: ScoreModel) -> None:
    """800 groups of 32: the tolerance is 4 standard errors of their mean."""
    generator = np.random.default_rng(1)
    wanted = full(32, generator)
    means = np.array([scores[wanted].mean() for scores in draw_one_by_one(model, 32, 800, generator)])
    tolerance = 4 * means.std() / math.sqrt(800) / 5
    assert model.diversity() == pytest.approx(1 - means.mean() / 5, abs=tolerance)


@pytest.mark.parametrize(("name", "design"), DESIGNS, ids=[name for name, _ in DESIGNS])
@by_name([SETTINGS[0], SETTINGS[1], SETTINGS[4]])
def test_group_interval_holds_the_truth_about_95_percent_of_the_time(
    model: ScoreModel, name: str, design: Design
) -> None:
    row = group_row(model, name, design, N_RESPONSES, REPS, np.random.default_rng(0))
    assert 0.90 <= row.coverage <= 0.995


@pytest.mark.parametrize(("name", "design"), THINNED, ids=[name for name, _ in THINNED])
@by_name([SETTINGS[1], SETTINGS[4]])
def test_a_thinned_group_holds_the_truth_as_often_where_the_file_is_sorted(
    model: ScoreModel, name: str, design: Design
) -> None:
    row = group_row(replace(model, is_sorted=True), name, design, N_RESPONSES, REPS, np.random.default_rng(0))
    assert 0.90 <= row.coverage <= 0.995
    assert abs(row.bias) < 4 * row.width / 4 / math.sqrt(REPS)  # a width of about 4 standard errors


@by_name([SETTINGS[1], SETTINGS[3]])
def test_strategy_interval_holds_the_truth_about_95_percent_of_the_time(model: ScoreModel) -> None:
    varied = replace(model, problem_sd=PROBLEM_SD)
    row = strategy_row(varied, N_PROBLEMS, REPS, np.random.default_rng(0))
    assert 0.90 <= row.coverage <= 0.995


@by_name([SETTINGS[1], SETTINGS[3]])
def test_difference_interval_holds_the_truth_about_95_percent_of_the_time(model: ScoreModel) -> None:
    varied = replace(model, problem_sd=PROBLEM_SD)
    row = difference_row(varied, N_PROBLEMS, REPS, np.random.default_rng(0))
    assert 0.90 <= row.coverage <= 0.995


def test_an_interval_without_ends_counts_as_a_miss() -> None:
    estimates = [Estimate(0.5, 0.4, 0.6, 0.1, 4, ""), Estimate(0.5, math.nan, math.nan, math.nan, 3, "")]
    assert count_coverage("", "", 0.5, estimates).coverage == 0.5


@pytest.mark.parametrize("kind", KINDS[::3], ids=[kind.name for kind in KINDS[::3]])
def test_a_group_with_a_surrogate_holds_the_truth_about_95_percent_of_the_time(kind: Kind) -> None:
    """Whatever the surrogate is worth; a placebo widens it by no more than the noise of lambda."""
    row = sharp_row(SETTINGS[4], kind, REPS, np.random.default_rng(0))
    assert 0.90 <= row.coverage <= 0.995
    assert abs(row.bias) < 4 * row.width / 4 / math.sqrt(REPS)
    assert row.ratio < row.plain_ratio * (1.02 if kind.r2 == 0 else 1.0 - kind.r2 / 3)


@pytest.mark.parametrize("kind", KINDS[2:], ids=[kind.name for kind in KINDS[2:]])
def test_a_level_and_a_difference_with_a_surrogate_hold_the_truth_and_are_narrower(kind: Kind) -> None:
    rows = problem_rows(replace(SETTINGS[4], problem_sd=PROBLEM_SD), kind, 60, np.random.default_rng(1))
    for row in rows:
        assert row.coverage >= 0.95 - 3.5 * math.sqrt(0.05 * 0.95 / 60)
        assert row.ratio < row.plain_ratio - 0.05


def test_values_of_many_groups_at_once_are_those_of_the_estimator() -> None:
    """Among them one whose surrogate leaves the scale, one without spread, and one without a lambda."""
    generator = np.random.default_rng(5)
    scores = SETTINGS[3].draw(16, np.zeros(6), generator)
    scores[2] = 5.0
    judged = np.array([dict(THINNED)["M = 32"](16, generator) for _ in scores])
    surrogate = KINDS[2].draw(scores, 1.0, generator)
    coefficients = np.array([0.5, 0.4, 0.5, 0.0, 40.0, -40.0])
    found = values_of(scores, judged, surrogate, coefficients)
    for g, coefficient in enumerate(coefficients.tolist()):
        matrix = SimilarityMatrix(np.where(judged[g], scores[g], np.nan), judged[g])
        assert found.sharp[g] == pytest.approx(estimate(matrix, Surrogate(surrogate[g], coefficient)).value, rel=1e-12)
        assert found.plain[g] == pytest.approx(matrix.diversity, rel=1e-12)


@pytest.mark.parametrize("level", ["diversity", "difference"])
def test_what_labels_correct_holds_the_truth_where_the_judge_alone_does_not(level: str) -> None:
    labelling = Labelling(13, 60)
    assert 0.90 <= corrected_row(labelling, level, REPS, np.random.default_rng(0)).coverage <= 0.995
    assert corrected_row(labelling, "judge alone", 100, np.random.default_rng(0)).coverage < 0.8


def test_the_closed_form_of_the_labels_agrees_with_a_large_simulation() -> None:
    model, generator = JudgeModel(), np.random.default_rng(0)
    labels = [g.labels.mean() for _ in range(60) for g in model.draw(Labelling(30, 600), generator)]
    assert 1 - np.mean(labels) / 5 == pytest.approx(model.diversity(), abs=4 * np.std(labels) / 5 / math.sqrt(900))
