"""Best-of-N, votes and the oracle at every n, against all subsets looked at one by one with exact fractions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diversity_judge.inputs.responses import Group, Response
from diversity_judge.measures.outcomes import Outcome as OutcomeOf
from diversity_judge.measures.outcomes import best_of_n, majority_vote, pass_rate, weighted_majority
from diversity_judge.measures.step_rewards import AGGREGATES, aggregate
from diversity_judge.measures.verification import (
    BEST_OF_N,
    MAJORITY,
    ORACLE,
    OWN,
    WEIGHTED_MEAN,
    WEIGHTED_SUM,
    Curve,
    best_of_n_at,
    curve_of_sizes,
    verification_curves,
)

Row = tuple[str | None, bool, Fraction]
"""Answer, correct, reward."""
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.booleans(),
        st.integers(-3, 3).map(lambda eighths: Fraction(eighths, 8)),
    ),
    min_size=1,
    max_size=6,
)


def group(rows: Sequence[Row], steps: Sequence[Sequence[float]] | None = None) -> Group:
    responses = tuple(
        Response(
            "p",
            f"text {i}",
            sample_id=i,
            answer=answer,
            correct=correct,
            reward=float(reward),
            meta={"step_rewards": list(steps[i])} if steps else {},
        )
        for i, (answer, correct, reward) in enumerate(rows)
    )
    return Group("p", "default", responses)


def curve(curves: Sequence[Curve], method: str, reward: str = "") -> Curve:
    (found,) = [c for c in curves if (c.method, c.reward) == (method, reward)]
    return found


def share_right(rows: Sequence[Row]) -> Fraction:
    return Fraction(sum(correct for _, correct, _ in rows), len(rows))


def chosen_response(rows: Sequence[Row]) -> Fraction:
    highest = max(reward for _, _, reward in rows)
    return share_right([row for row in rows if row[2] == highest])


def chosen_answer(weigh: Callable[[Sequence[Row]], Fraction]) -> Callable[[Sequence[Row]], Fraction]:
    def choose(rows: Sequence[Row]) -> Fraction:
        by_answer: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row[0] is not None:
                by_answer[row[0]].append(row)
        if not by_answer:
            return Fraction(0)
        highest = max(weigh(members) for members in by_answer.values())
        best = [share_right(members) for members in by_answer.values() if weigh(members) == highest]
        return sum(best, Fraction(0)) / len(best)

    return choose


def total(rows: Sequence[Row]) -> Fraction:
    return sum((reward for _, _, reward in rows), Fraction(0))


BRUTE: dict[tuple[str, str], Callable[[Sequence[Row]], Fraction]] = {
    (ORACLE, ""): lambda rows: Fraction(any(correct for _, correct, _ in rows)),
    (BEST_OF_N, OWN): chosen_response,
    (MAJORITY, ""): chosen_answer(lambda rows: Fraction(len(rows))),
    (WEIGHTED_MEAN, OWN): chosen_answer(lambda rows: total(rows) / len(rows)),
    (WEIGHTED_SUM, OWN): chosen_answer(total),
}


def over_subsets(rows: Sequence[Row], n: int, choose: Callable[[Sequence[Row]], Fraction]) -> float:
    values = [choose(subset) for subset in combinations(rows, n)]
    return float(sum(values, Fraction(0)) / len(values))


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_method_at_every_n_is_the_mean_over_all_subsets(rows: list[Row]) -> None:
    curves = verification_curves(group(rows), len(rows))
    for (method, reward), choose in BRUTE.items():
        if method in (ORACLE, BEST_OF_N) or any(answer is not None for answer, _, _ in rows):
            found = curve(curves, method, reward)
            expected = [over_subsets(rows, n, choose) for n in range(1, len(rows) + 1)]
            assert found.sizes == tuple(range(1, len(rows) + 1))
            assert found.values == pytest.approx(expected, abs=1e-12), method
            assert not found.errors.any()


@given(ROWS)
def test_at_all_responses_it_is_the_outcome_of_the_group(rows: list[Row]) -> None:
    members = group(rows)
    curves = verification_curves(members, len(rows))
    outcomes = {
        (BEST_OF_N, OWN): best_of_n(members),
        (MAJORITY, ""): majority_vote(members),
        (WEIGHTED_MEAN, OWN): weighted_majority(members),
    }
    for (method, reward), outcome in outcomes.items():
        if isinstance(outcome, OutcomeOf):
            assert curve(curves, method, reward).values[-1] == pytest.approx(outcome.value, abs=1e-12)


@given(ROWS)
def test_of_one_response_best_of_n_is_the_pass_rate(rows: list[Row]) -> None:
    rate = pass_rate(group(rows))
    assert isinstance(rate, OutcomeOf)
    assert curve(verification_curves(group(rows), 1), BEST_OF_N, OWN).values == pytest.approx([rate.value])


def test_best_of_n_of_a_thousand_responses_is_the_exact_fraction() -> None:
    generator = np.random.default_rng(1)
    rewards, correct = generator.integers(0, 40, 1000) / 8, generator.random(1000) < 0.3
    sizes = (1, 2, 17, 500, 1000)
    for n, value in zip(sizes, best_of_n_at(correct.astype(float), rewards, sizes), strict=True):
        expected = Fraction(0)
        for level in np.unique(rewards):
            within, below = int((rewards <= level).sum()), int((rewards < level).sum())
            share = Fraction(math.comb(within, n) - math.comb(below, n), math.comb(1000, n))
            expected += share * Fraction(int(correct[rewards == level].sum()), within - below)
        assert value == pytest.approx(float(expected), abs=1e-12)


def test_drawn_subsets_lie_around_the_exact_value_by_their_own_standard_error() -> None:
    """13 responses: 1,716 subsets of 6 are too many to look at, and here they are looked at all the same."""
    generator = np.random.default_rng(4)
    answers = generator.choice(3, 13, p=[0.4, 0.35, 0.25])
    rows: list[Row] = [
        (str(answer), bool(answer == 0), Fraction(int(reward), 16))
        for answer, reward in zip(answers, generator.integers(0, 17, 13), strict=True)
    ]
    for method, reward in ((MAJORITY, ""), (WEIGHTED_MEAN, OWN), (WEIGHTED_SUM, OWN)):
        exact = over_subsets(rows, 6, BRUTE[method, reward])
        found = [curve(verification_curves(group(rows), 13, seed=seed), method, reward) for seed in range(60)]
        errors = np.array([c.values[5] - exact for c in found])
        claimed = np.array([c.errors[5] for c in found])
        assert (claimed > 0).all()
        assert 0.75 < errors.std(ddof=1) / claimed.mean() < 1.25
        assert abs(errors.mean()) < 4 * claimed.mean() / math.sqrt(60)
        assert not any(c.errors[0] or c.errors[1] or c.errors[11] or c.errors[12] for c in found)


def test_the_same_seed_draws_the_same_and_each_group_its_own() -> None:
    rows: list[Row] = [(str(i % 4), i % 4 == 0, Fraction(i * 7 % 13)) for i in range(20)]
    members = group(rows)
    first, again = (curve(verification_curves(members, 20), MAJORITY).values for _ in range(2))
    assert (first == again).all()
    other = Group("q", "default", members.responses)
    assert (first != curve(verification_curves(other, 20), MAJORITY).values).any()


def test_each_aggregate_of_the_steps_is_a_reward_of_its_own() -> None:
    rows: list[Row] = [("a", True, Fraction(0)), ("b", False, Fraction(1)), ("a", True, Fraction(1, 2))]
    steps = [[0.9, 0.3, 0.9], [0.6, 0.7], [0.1, 0.95]]
    curves = verification_curves(group(rows, steps), 3)
    for how in AGGREGATES:
        ranked = [(a, c, Fraction(aggregate(s, how))) for (a, c, _), s in zip(rows, steps, strict=True)]
        expected = [over_subsets(ranked, n, chosen_response) for n in (1, 2, 3)]
        assert curve(curves, BEST_OF_N, how).sizes == (1, 2, 3)
        assert curve(curves, BEST_OF_N, how).values == pytest.approx(expected, abs=1e-12)
    assert [curve(curves, BEST_OF_N, how).values[-1] for how in AGGREGATES] == [0, 0, 1, 1]


def test_what_is_missing_gives_no_curve_and_never_a_number() -> None:
    rows: list[Row] = [("a", True, Fraction(1)), ("b", False, Fraction(2))]
    whole = group(rows)
    no_reward = Response("p", "text", sample_id=2, answer="a", correct=True)
    methods = {c.method for c in verification_curves(Group("p", "default", (*whole.responses, no_reward)), 3)}
    assert methods == {ORACLE, MAJORITY}
    not_graded = Response("p", "text", sample_id=2, answer="a", reward=1.0)
    assert verification_curves(Group("p", "default", (*whole.responses, not_graded)), 3) == ()
    assert verification_curves(whole, 3) == ()
    with pytest.raises(ValueError, match="reward of every response"):
        best_of_n_at(np.array([1.0, 0.0]), np.array([1.0, math.nan]), (1,))


@pytest.mark.parametrize("bad", [[], [0.5, None], [math.nan], [True], 0.5, "0.5"])
def test_steps_of_one_response_that_are_no_rewards_leave_the_aggregates_out(bad: object) -> None:
    good = Response("p", "text", answer="a", correct=True, meta={"step_rewards": [0.5]})
    other = Response("p", "text", sample_id=1, answer="a", correct=True, meta={"step_rewards": bad})
    assert {c.reward for c in verification_curves(Group("p", "default", (good, other)), 2)} == {""}


def test_sizes_are_every_n_and_beyond_64_spread_by_ratio() -> None:
    assert curve_of_sizes(32) == tuple(range(1, 33))
    assert curve_of_sizes(64) == tuple(range(1, 65))
    many = curve_of_sizes(1000)
    assert many[:64] == tuple(range(1, 65))
    assert many[-1] == 1000
    assert len(many) <= 128
    assert max(b / a for a, b in pairwise(many[63:])) < 1.1
