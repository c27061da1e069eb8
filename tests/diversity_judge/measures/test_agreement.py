"""Agreement of two judges: against hand-computed examples, scikit-learn and scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from diversity_judge.measures import agreement as judge_agreement
from diversity_judge.measures.agreement import (
    SharedGroup,
    agreement,
    agreements,
    confusion,
    problem_tables,
    rank_correlation,
    weighted_kappa,
)

Scores = Sequence[float] | NDArray[Any]
NAN = math.nan
HAND = ([0, 0, 1, 2, 2, 1], [0, 1, 1, 2, 0, 2])
"""Squared differences 0 1 0 0 4 1, mean 1. Both margins are 2, 2, 2 of 0, 1, 2, so that independent scores differ by
(4 * 1 + 2 * 4) / 9 = 4/3 in the mean square: kappa = 1 - 3/4 = 1/4."""

pair_scores = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=60)


def shared(tested: Scores, reference: Scores, problem: str = "p", strategy: str = "s", unasked: int = 0) -> SharedGroup:
    """A group of these scores, of which the last are of identical texts."""
    marks = np.arange(len(tested)) >= len(tested) - unasked
    return SharedGroup(problem, strategy, np.array(tested, float), np.array(reference, float), marks)


def random_groups(n_problems: int, seed: int = 0, n_pairs: int = 40) -> list[SharedGroup]:
    """Scores that follow one another, with another bias in each problem."""
    rng = np.random.default_rng(seed)
    groups = []
    for number in range(n_problems):
        truth = rng.integers(0, 6, n_pairs)
        said = np.clip(truth + rng.integers(-1, 2, n_pairs) + number % 2, 0, 5)
        groups.append(shared(said, truth, f"p{number}"))
    return groups


def test_kappa_by_hand() -> None:
    assert agreement([shared(*HAND)]).kappa.value == pytest.approx(1 / 4, abs=1e-12)


@given(pair_scores)
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    tested, reference = zip(*pairs, strict=True)
    found = agreement([shared(tested, reference)]).kappa.value
    if len({*tested, *reference}) == 1:
        assert math.isnan(found)
        return
    assert found == pytest.approx(cohen_kappa_score(tested, reference, weights="quadratic", labels=range(6)), abs=1e-12)


@given(pair_scores)
def test_rank_correlations_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    tested, reference = zip(*pairs, strict=True)
    found = agreement([shared(tested, reference)])
    if len(set(tested)) == 1 or len(set(reference)) == 1:
        assert math.isnan(found.spearman.value)
        assert math.isnan(found.kendall)
        return
    assert found.spearman.value == pytest.approx(stats.spearmanr(tested, reference).statistic, abs=1e-12)
    assert found.kendall == pytest.approx(stats.kendalltau(tested, reference).statistic, abs=1e-12)


def test_means_that_are_not_whole_are_taken_as_they_are() -> None:
    # Lin's concordance: 2 cov / (var + var + (difference of means)^2), all with n in the denominator.
    tested, reference = np.array([0.5, 2, 3.5, 5]), np.array([1, 2, 2.5, 4.5])
    covariance = np.cov(tested, reference, ddof=0)
    lin = 2 * covariance[0, 1] / (np.trace(covariance) + (tested.mean() - reference.mean()) ** 2)
    group = shared(tested, reference)
    assert agreement([group]).kappa.value == pytest.approx(lin, abs=1e-12)
    assert agreement([group]).spearman.value == pytest.approx(1)
    counts = confusion([group])
    assert counts.sum() == counts[2, 2] == 1


def test_means_that_differ_by_rounding_alone_are_equal() -> None:
    found = agreement([shared([0.1 + 0.2, 2, 3], [0.3, 2, 3])])
    assert found.exact == 1
    assert found.spearman.value == 1


def test_perfect_agreement() -> None:
    found = agreement([shared([0, 1, 2, 5], [0, 1, 2, 5], f"p{n}") for n in range(4)])
    assert (found.exact, found.kappa.value, found.spearman.value, found.kendall) == pytest.approx((1, 1, 1, 1))
    assert (found.kappa.low, found.kappa.high) == pytest.approx((1, 1))
    assert (found.mean_absolute_error, found.score_bias, found.diversity_bias.value) == (0, 0, 0)


def test_a_judge_that_gives_one_point_more_finds_a_fifth_less_diversity() -> None:
    truths = [[0, 1, 2, 3], [4, 4, 1, 0], [2, 2, 3, 0]]
    found = agreement([shared(np.array(t) + 1, t, f"p{n}") for n, t in enumerate(truths)])
    assert found.score_bias == pytest.approx(1)
    assert found.mean_absolute_error == pytest.approx(1)
    assert found.diversity_bias.value == pytest.approx(-0.2, abs=1e-12)
    assert found.diversity_bias.low < -0.2 < found.diversity_bias.high, "three equal problems are not all problems"
    assert found.exact == 0
    assert found.spearman.value == pytest.approx(1)
    assert found.diversity_spearman == pytest.approx(1)


def test_the_bias_in_diversity_is_a_mean_difference_over_problems() -> None:
    groups = random_groups(7)
    differences = [(np.mean(g.reference) - np.mean(g.tested)) / 5 for g in groups]
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    means = [np.mean(subset) for size in range(1, 8) for subset in combinations(differences, size)]
    ends = np.sort(means)[[2, -3]]  # the third of 2^7 x 0.025 = 3.2
    found = agreement(groups).diversity_bias
    assert (found.low, found.high) == pytest.approx((min(expected.low, ends[0]), max(expected.high, ends[1])))
    assert found.n == 7


def test_a_problem_counts_once_in_the_bias_however_many_strategies_it_has() -> None:
    groups = [shared([5, 5], [0, 0], "p", "a"), shared([5, 5], [0, 0], "p", "b"), shared([0, 0], [0, 0], "q", "a")]
    assert agreement(groups).diversity_bias.value == pytest.approx(-0.5)


def test_pairs_without_a_score_are_counted_and_change_nothing_else() -> None:
    whole = agreement([shared([0, 3, 5], [1, 3, 4])])
    holed = agreement([shared([0, NAN, 3, 5, NAN, 2], [1, 2, 3, 4, NAN, NAN])])
    assert (holed.n_without_tested, holed.n_without_reference, holed.n_left_out) == (2, 2, 3)
    assert holed.n_pairs == whole.n_pairs == 3
    assert holed.kappa.value == whole.kappa.value
    assert holed.score_bias == whole.score_bias
    assert holed.diversity_bias.value == whole.diversity_bias.value


def test_pairs_that_nobody_was_asked_about_are_counted_and_kappa_is_there_without_them() -> None:
    found = agreement([shared([*HAND[0], 5, 5, 5], [*HAND[1], 5, 5, 5], unasked=3)])
    assert found.n_unasked == 3
    assert found.n_pairs == 9
    assert found.kappa_asked == pytest.approx(1 / 4)
    assert found.kappa.value > 0.8


def test_one_row_a_strategy_and_the_pooled_one_last() -> None:
    hot = [replace(group, strategy="hot") for group in random_groups(3, seed=1)]
    cold = [replace(group, strategy="cold") for group in random_groups(4, seed=2)]
    rows = agreements([*hot, *cold])
    assert [row.strategy for row in rows] == ["hot", "cold", None]
    assert [row.n_pairs for row in rows] == [3 * 40, 4 * 40, 7 * 40]
    assert rows == (agreement(hot, "hot"), agreement(cold, "cold"), agreement([*hot, *cold]))
    assert rows[0].kappa != rows[1].kappa


def test_the_standard_error_is_that_of_resampled_problems_and_the_interval_student_t() -> None:
    # The oracle resamples lists of scores and lets scikit-learn and scipy do the rest.
    groups = random_groups(6, n_pairs=15)
    found = agreement(groups)
    rng = np.random.default_rng(12)
    kappas, correlations = [], []
    for _ in range(600):
        drawn = [groups[place] for place in rng.integers(0, len(groups), len(groups))]
        tested = np.concatenate([group.tested for group in drawn])
        reference = np.concatenate([group.reference for group in drawn])
        kappas.append(cohen_kappa_score(tested, reference, weights="quadratic", labels=range(6)))
        correlations.append(stats.spearmanr(tested, reference).statistic)
    for estimate, values in ((found.kappa, kappas), (found.spearman, correlations)):
        assert estimate.se == pytest.approx(np.std(values) * math.sqrt(6 / 5), rel=0.15)
        # The logit of (1 + v) / 2 is twice the inverse hyperbolic tangent of v, whose derivative is 1 / (1 - v^2).
        half = stats.t.ppf(0.975, 5) * estimate.se / (1 - estimate.value**2)
        expected = np.tanh(np.arctanh(estimate.value) + np.array([-half, half]))
        assert (estimate.low, estimate.high) == pytest.approx(tuple(expected))


def test_intervals_for_five_problems_hold_the_truth_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_agreement, "RESAMPLES", 300)

    def draw(rng: np.random.Generator, n_problems: int) -> list[SharedGroup]:
        drawn = []
        for number in range(n_problems):
            truth = rng.choice(6, 60, p=rng.dirichlet(np.ones(6)))
            said = np.round(truth + rng.normal(0.3, 0.5) + rng.normal(0, rng.uniform(0.2, 1.2), 60))
            drawn.append(shared(np.clip(said, 0, 5), truth, f"p{number}"))
        return drawn

    population = agreement(draw(np.random.default_rng(0), 4_000))
    found = [agreement(draw(np.random.default_rng(seed), 5)) for seed in range(1, 301)]
    for name in ("kappa", "spearman"):
        truth = getattr(population, name).value
        share = np.mean([getattr(f, name).low <= truth <= getattr(f, name).high for f in found])
        assert 0.92 <= share <= 0.99, f"{name}: {share}"


def test_the_same_data_give_the_same_interval() -> None:
    assert agreement(random_groups(5)) == agreement(random_groups(5))


def test_problems_are_resampled_and_not_pairs() -> None:
    # Two problems of perfect agreement and one of none: with pairs as the unit the interval would be narrow.
    good, bad = [0, 1, 2, 3, 4, 5] * 50, [5, 4, 3, 2, 1, 0] * 50
    found = agreement([shared(good, good, "p"), shared(good, good, "q"), shared(bad, good, "r")])
    assert found.kappa.low < 0
    assert found.kappa.high > 0.9


@pytest.mark.parametrize("n_problems", [1, 2])
def test_too_few_problems_have_no_interval_and_the_reason_is_said(n_problems: int) -> None:
    found = agreement(random_groups(n_problems))
    for estimate in (found.kappa, found.spearman):
        assert not math.isnan(estimate.value)
        assert math.isnan(estimate.low)
        assert "needs 3" in estimate.reason


def test_a_judge_that_never_varies_has_no_rank_correlation() -> None:
    found = agreement([shared([3, 3, 3], [1, 2, 3], f"p{n}") for n in range(3)])
    assert math.isnan(found.spearman.value)
    assert math.isnan(found.kendall)
    assert found.kappa.value == pytest.approx(0)


def test_nothing_in_common_is_no_number() -> None:
    found = agreement([shared([NAN, 1], [2, NAN])])
    assert found.n_pairs == 0
    assert all(math.isnan(x) for x in (found.exact, found.kappa.value, found.score_bias, found.diversity_bias.value))


def test_tables_add_up_to_the_confusion_counts() -> None:
    groups = random_groups(4)
    tables, levels = problem_tables(groups)
    assert levels.tolist() == [0, 1, 2, 3, 4, 5]
    expected = np.zeros((6, 6), int)
    for group in groups:
        for row, column in zip(group.tested.astype(int), group.reference.astype(int), strict=True):
            expected[row, column] += 1
    np.testing.assert_array_equal(tables.sum(axis=0), expected)
    np.testing.assert_array_equal(confusion(groups), expected)


def test_statistics_of_many_tables_are_those_of_each() -> None:
    tables, levels = problem_tables(random_groups(3))
    np.testing.assert_allclose(weighted_kappa(tables, levels), [float(weighted_kappa(t, levels)) for t in tables])
    np.testing.assert_allclose(rank_correlation(tables), [float(rank_correlation(t)) for t in tables])


@pytest.mark.parametrize("scores", [[6.0], [-1.0], [math.inf]])
def test_what_is_no_score_is_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.5"):
        shared(scores, [1.0])


def test_scores_of_other_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="pair by pair"):
        shared([1, 2], [1])
