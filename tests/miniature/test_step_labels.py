"""What the reward model learns from: labels against all ways to go on, and attempts at training problems alone."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.countdown import Countdown, Step, is_solution, read_problem, read_steps
from examples.miniature.problems import LARGEST, draw, is_held_out
from examples.miniature.step_labels import attempt, can_reach, labels, words_of

PROBLEM = read_problem("12 2 11 6 target 52")


def values(numbers: tuple[int, ...]) -> set[int]:
    """All that can be made: every order of the numbers, every operation, two of them at a time."""
    if len(numbers) == 1:
        return set(numbers)
    found = set()
    for first, second, *rest in permutations(numbers):
        results = [first + second, first * second]
        results += [first - second] if first >= second else []
        results += [first // second] if second and first % second == 0 else []
        for result in results:
            found |= values((result, *rest))
    return found


@given(st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(0, 60))
def test_what_can_be_reached_is_what_some_order_of_steps_makes(numbers: list[int], target: int) -> None:
    assert can_reach(tuple(sorted(numbers)), target) == (target in values(tuple(numbers)))


def test_a_way_over_a_result_that_the_miniature_cannot_write_counts() -> None:
    assert 24 * 12 // 9 == 32
    assert LARGEST < 24 * 12
    assert can_reach((9, 12, 24), 32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52", [True, True, True]),
        ("6 * 11 = 66 left 12 2 66 ; 66 / 2 = 33 left 12 33 ; 33 + 12 = 45", [True, False, False]),  # leads nowhere
        ("6 * 11 = 66 left 12 2 66 ; 66 / 2 = 33 left 12 33 ; 33 + 12 = 52", [True, False, False]),  # forced
        ("6 * 11 = 67 left 12 2 67 ; 2 + 12 = 14 left 67 14 ; 66 - 14 = 52", [False, False, False]),  # a slip
        ("50 + 2 = 52", [False]),  # a number that is not there
        ("6 * 11 = 66", [True]),  # broken off: still right
    ],
)
def test_a_step_is_good_while_the_target_can_be_reached(text: str, expected: list[bool]) -> None:
    assert labels(PROBLEM, read_steps(text)) == expected


def test_the_last_step_is_good_where_the_grader_says_solved() -> None:
    rng = random.Random(3)
    for _ in range(300):
        problem, steps = attempt(rng)
        if len(steps) == len(problem.numbers) - 1:
            assert labels(problem, steps)[-1] == is_solution(problem, steps)


def test_every_step_of_a_solution_is_good() -> None:
    rng = random.Random(5)
    for _ in range(100):
        problem, steps = draw(rng, 4)
        assert labels(problem, steps) == [True, True, True]


def test_attempts_are_at_training_problems_right_and_wrong_and_repeat_by_the_seed() -> None:
    found = [attempt(random.Random(seed)) for seed in range(300)]
    assert found == [attempt(random.Random(seed)) for seed in range(300)]
    assert not any(is_held_out(problem) for problem, _ in found)
    ends = [labels(problem, steps)[-1] for problem, steps in found if steps]
    assert 0.2 < sum(ends) / len(ends) < 0.8


def test_steps_are_written_as_the_miniature_writes_them() -> None:
    steps = read_steps("6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52")
    assert words_of(PROBLEM, steps) == ["6 * 11 = 66 left 12 2 66", "2 + 12 = 14 left 66 14", "66 - 14 = 52"]
    assert words_of(Countdown((1, 2), 9), [Step(7, "+", 2, 9)]) == ["7 + 2 = 9 left 1 9"]
