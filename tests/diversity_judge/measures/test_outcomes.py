"""Outcomes against exact enumeration and hand-worked votes."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.inputs.responses import Group, Response
from diversity_judge.measures.outcomes import (
    Outcome,
    Skipped,
    Tier,
    best_of_n,
    curve_sizes,
    majority_vote,
    outcomes,
    pass_at_k,
    pass_curve,
    pass_rate,
    tier,
    weighted_majority,
)


def group(*rows: tuple[str | None, bool | None, float | None]) -> Group:
    """Group from (answer, correct, reward) triples."""
    responses = tuple(
        Response("p", f"text {i}", sample_id=i, answer=answer, correct=correct, reward=reward)
        for i, (answer, correct, reward) in enumerate(rows)
    )
    return Group("p", "default", responses)


def graded(*correct: bool | None) -> Group:
    return group(*((None, c, None) for c in correct))


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_response(n: int) -> None:
    for n_correct, k in itertools.product(range(n + 1), range(1, n + 1)):
        subsets = list(itertools.combinations([True] * n_correct + [False] * (n - n_correct), k))
        expected = sum(map(any, subsets)) / len(subsets)
        assert pass_at_k(n, n_correct, k) == pytest.approx(expected, abs=1e-15)


@given(st.integers(1, 3000), st.data())
def test_pass_at_k_equals_the_exact_fraction_where_floats_would_overflow(n: int, data: st.DataObject) -> None:
    n_correct, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    expected = 1 - Fraction(math.comb(n - n_correct, k), math.comb(n, k))
    assert pass_at_k(n, n_correct, k) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize(("n", "n_correct", "k"), [(4, 5, 1), (4, -1, 1), (4, 2, 0), (4, 2, 5)])
def test_pass_at_k_refuses_impossible_counts(n: int, n_correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(n, n_correct, k)


@pytest.mark.parametrize(
    ("n", "sizes"), [(0, ()), (1, (1,)), (2, (1, 2)), (10, (1, 2, 4, 8, 10)), (32, (1, 2, 4, 8, 16, 32))]
)
def test_curve_sizes_double_up_to_n(n: int, sizes: tuple[int, ...]) -> None:
    assert curve_sizes(n) == sizes


def test_pass_rate_and_curve() -> None:
    responses = graded(True, False, False, False)
    assert pass_rate(responses) == Outcome("pass_rate", 4, 0.25)
    assert pass_curve(responses) == (
        Outcome("pass_at_k", 1, 0.25),
        Outcome("pass_at_k", 2, 0.5),
        Outcome("pass_at_k", 4, 1.0),
    )


def test_too_long_a_curve_says_what_it_needs() -> None:
    short, long = pass_curve(graded(True, False), sizes=[1, 4])
    assert isinstance(short, Outcome)
    assert isinstance(long, Skipped)
    assert "at least 4 responses" in long.needs


def test_majority_takes_the_most_common_answer() -> None:
    votes = group(("7", False, None), (" 9 ", True, None), ("9", True, None), (None, False, None))
    assert majority_vote(votes) == Outcome("majority", 4, 1.0)


def test_tied_majority_is_the_average_and_says_so() -> None:
    votes = group(("7", False, None), ("9", True, None))
    assert majority_vote(votes) == Outcome("majority", 2, 0.5, n_tied=2, tie_matters=True)


def test_tie_between_wrong_answers_does_not_matter() -> None:
    votes = group(("7", False, None), ("8", False, None))
    assert majority_vote(votes) == Outcome("majority", 2, 0.0, n_tied=2, tie_matters=False)


def test_weighted_majority_takes_the_highest_mean_reward() -> None:
    """Mean rewards: "7" (1 + 5) / 2 = 3, "9" 4. By sum or by the single best, "7" would win."""
    votes = group(("7", False, 1.0), ("7", False, 5.0), ("9", True, 4.0))
    assert weighted_majority(votes) == Outcome("weighted_majority", 3, 1.0)
    assert best_of_n(votes) == Outcome("best_of_n", 3, 0.0)


def test_best_of_n_averages_over_equal_rewards() -> None:
    votes = group(("7", False, 2.0), ("9", True, 2.0), ("9", True, 2.0), ("9", True, -1.0))
    best = best_of_n(votes)
    assert isinstance(best, Outcome)
    assert best.value == pytest.approx(2 / 3)
    assert (best.n_tied, best.tie_matters) == (3, True)


def test_negative_rewards_are_rewards() -> None:
    assert best_of_n(group(("7", True, -1.0), ("9", False, -2.0))) == Outcome("best_of_n", 2, 1.0)


@pytest.mark.parametrize("metric", [pass_rate, majority_vote, best_of_n, weighted_majority, tier])
def test_one_ungraded_response_skips_what_needs_grades(metric: Callable[[Group], object]) -> None:
    result = metric(group(*[("7", True, 1.0)] * 5, ("7", None, 1.0)))
    assert isinstance(result, Skipped)
    assert "`correct`" in result.needs
    assert "1 of 6" in result.needs


@pytest.mark.parametrize("metric", [best_of_n, weighted_majority])
@pytest.mark.parametrize("absent", [None, math.nan])
def test_one_missing_reward_skips_what_needs_rewards(metric: Callable[[Group], object], absent: float | None) -> None:
    result = metric(group(("7", True, 1.0), ("9", False, absent)))
    assert isinstance(result, Skipped)
    assert "`reward`" in result.needs


@pytest.mark.parametrize("metric", [majority_vote, weighted_majority])
def test_votes_need_answers(metric: Callable[[Group], object]) -> None:
    result = metric(group((None, True, 1.0), (None, False, 0.0)))
    assert isinstance(result, Skipped)
    assert "`answer`" in result.needs


def test_outcomes_lists_every_metric_even_when_skipped() -> None:
    metrics = [result.metric for result in outcomes(graded(True, False))]
    assert metrics == ["pass_rate", "pass_at_k", "pass_at_k", "majority", "best_of_n", "weighted_majority"]


def test_an_empty_group_skips_everything() -> None:
    assert all(isinstance(result, Skipped) for result in outcomes(graded()))


@pytest.mark.parametrize(
    ("correct", "expected"),
    [
        ([True] * 4 + [False] + [False] * 27, Tier.CORRECT),
        ([True] * 3 + [False] * 2 + [True] * 27, Tier.MEDIUM),
        ([False] * 31 + [True], Tier.MEDIUM),
        ([False] * 32, Tier.HARD),
        ([False] * 32 + [True], Tier.HARD),
    ],
    ids=["4 of 5", "3 of 5", "1 of 32", "0 of 32", "right only after 32"],
)
def test_tiers(correct: list[bool], expected: Tier) -> None:
    assert tier(graded(*correct)) is expected


def test_tier_needs_five_responses() -> None:
    result = tier(graded(True, True))
    assert isinstance(result, Skipped)
    assert "5 responses" in result.needs
