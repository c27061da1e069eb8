"""Which tokens are live at each decision of a solution: by hand, and against every way to go on."""

from __future__ import annotations

import random

import numpy as np

from diversity_judge.countdown import Countdown, read_problem
from examples.miniature.problems import draw, solution_text
from examples.miniature.tokens import TOKEN_ID, VOCABULARY, encode
from examples.miniature.why.decisions import decided, decisions
from tests.miniature.why.test_fates import reaches

PROBLEM = read_problem("12 2 11 6 target 52")
RIGHT = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"


def words_of(mask: np.ndarray) -> set[str]:
    return {VOCABULARY[place] for place in np.flatnonzero(mask)}


def by_looking(state: list[int], target: int, begun: list[str]) -> set[str]:
    """Words that can follow those of a step so far, by trying every step and every way to go on."""
    found = set()
    for i, left in enumerate(state):
        for j, right in enumerate(state):
            results = {"+": left + right, "*": left * right, "-": left - right}
            results |= {"/": left // right} if right and left % right == 0 else {}
            for sign, result in results.items():
                rest = [number for place, number in enumerate(state) if place not in (i, j)]
                step = [str(left), sign, str(right)]
                if i != j and result >= 0 and step[: len(begun)] == begun and reaches((*rest, result), target):
                    found.add(step[len(begun)])
    return found


def test_a_step_has_three_decisions_and_what_follows_from_them_is_none() -> None:
    words = RIGHT.split()
    assert [words[place] for place, _ in decided(PROBLEM, words)] == [*"6*", "11", *"2+", "12", "66", "-", "14"]


def test_live_tokens_are_those_from_which_some_way_reaches_the_target() -> None:
    rng = random.Random(1)
    for _ in range(12):
        problem, solution = draw(rng, 4)
        words = solution_text(problem, solution).split()
        state, place = list(problem.numbers), 0
        found = dict(decided(problem, words))
        for step in solution:
            for number in range(3):
                expected = by_looking(state, problem.target, words[place : place + number])
                assert words_of(found.pop(place + number)) == expected
                assert words[place + number] in expected  # the solution's own way
            state.remove(step.left)
            state.remove(step.right)
            state.append(step.result)
            place = words.index(";", place) + 1 if ";" in words[place:] else len(words)
        assert not found


def test_after_a_step_that_may_not_be_done_nothing_is_decided_and_after_a_lost_one_nothing_is_live() -> None:
    slip = RIGHT.replace("2 + 12 = 14", "2 + 12 = 15").split()
    assert len([*decided(PROBLEM, slip)]) == 6
    text = "6 * 11 = 66 left 12 2 66 ; 66 / 2 = 33 left 12 33 ; 33 + 12 = 45"
    live = [words_of(mask) for _, mask in decided(PROBLEM, text.split())]
    assert "/" not in live[4]
    assert live[6:] == [set()] * 3


def test_a_decision_with_too_many_numbers_left_is_left_out() -> None:
    problem = Countdown((1, 2, 3, 4, 5, 6, 7), 28)
    words = [
        "1",
        "+",
        "2",
        "=",
        "3",
        "left",
        "3",
        "4",
        "5",
        "6",
        "7",
        "3",
        ";",
        "3",
        "+",
        "3",
        "=",
        "6",
        "left",
        "4",
        "5",
        "6",
        "7",
        "6",
        ";",
        "4",
        "+",
        "5",
        "=",
        "9",
        "left",
        "6",
        "7",
        "6",
        "9",
    ]
    places = [place for place, _ in decided(problem, words)]
    assert places[0] == words.index(";") + 1  # six numbers left: five after the step, which can be judged


def test_positions_are_those_of_the_models_own_tokens() -> None:
    rng = random.Random(2)
    problem, solution = draw(rng, 4)
    ids, n_prompt = encode(problem, solution)
    found = decisions([("p", problem, solution_text(problem, solution)), ("q", problem, "no solution")])
    assert found.sequences == (tuple(ids[:-1]),)  # without the end; the other has a word that is no token
    assert found.n_prompt == (n_prompt,)
    chosen = [ids[position + 1] for position in found.position]
    assert found.live[np.arange(len(chosen)), chosen].all()
    assert found.position[0] == n_prompt - 1
    assert set(found.problems) == {"p"}
    assert TOKEN_ID["="] not in chosen
