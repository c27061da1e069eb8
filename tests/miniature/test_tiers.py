"""Tiers: no response both chooses and is measured, and none is thrown away."""

from __future__ import annotations

import numpy as np
import pytest

from diversity_judge.inputs.responses import Group, Response
from diversity_judge.measures.outcomes import Tier, tier
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair
from diversity_judge.runs.loading import RunGroup
from examples.miniature import tiers


def member(problem: str, strategy: str, right: list[bool], judgments: tuple[Judgment, ...] = ()) -> RunGroup:
    rows = [
        Response(problem_id=problem, strategy=strategy, sample_id=str(i), text=f"{i}", correct=correct, reward=0.0)
        for i, correct in enumerate(right)
    ]
    return RunGroup(Group(problem, strategy, tuple(rows), problem), judgments)


def test_both_halves_choose_and_both_are_measured() -> None:
    # Even numbers: none of five right (Hard). Odd ones: one of five (Medium).
    normal = {"p": member("p", "a", [False, False, False, True, *[False] * 6])}
    other = {"p": member("p", "b", [True, False, True, False, False, True, *[False] * 4])}
    # Hard by the even half, so measured on the odd one; the other strategy's halves hold 2 and 1 of 5.
    hard = tiers.difference(normal, other, Tier.HARD, tiers.pass_rate)
    assert hard.value == pytest.approx(0.3 - 0.2)
    medium = tiers.difference(normal, other, Tier.MEDIUM, tiers.pass_rate)
    assert medium.value == pytest.approx(0.3 - 0.0)


def test_two_strategies_that_are_the_same_do_not_differ_in_any_tier() -> None:
    rng = np.random.default_rng(0)
    chances = rng.beta(0.3, 1.0, 400)
    normal, other = (
        {f"{i}": member(f"{i}", name, (rng.random(16) < chance).tolist()) for i, chance in enumerate(chances)}
        for name in ("a", "b")
    )
    for wanted in Tier:
        found = tiers.difference(normal, other, wanted, tiers.pass_rate)
        assert abs(found.value) < 3 * found.se
    # What chooses the tier and is measured in it too finds a gain among the Hard that is not there.
    naive = [
        tiers.pass_rate(other[name]) - tiers.pass_rate(normal[name])
        for name in normal
        if tier(normal[name].group) is Tier.HARD
    ]
    assert np.mean(naive) > 5 * np.std(naive) / np.sqrt(len(naive))


def test_the_diversity_of_a_half_is_of_the_pairs_within() -> None:
    scores = {(0, 2): 5, (1, 3): 0, (0, 1): 1, (3, 2): 1}
    judged = tuple(Judgment(Pair(*pair), f"{pair}", score, None) for pair, score in scores.items())
    even, odd = tiers.halves(member("p", "a", [True] * 4, judged))
    assert (tiers.diversity(even), tiers.diversity(odd)) == (0.0, 1.0)
    assert np.isnan(tiers.diversity(member("p", "a", [True] * 4)))


def test_a_tier_of_too_few_problems_has_no_interval() -> None:
    found = tiers.difference({"p": member("p", "a", [True] * 8)}, {}, Tier.CORRECT, tiers.pass_rate)
    assert found.n == 0
    assert np.isnan(found.value)
