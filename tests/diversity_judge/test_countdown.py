"""Countdown solutions: what is read, what is right, and how alike two are, against hand-made and enumerated cases."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.countdown import Countdown, Step, is_solution, read_problem, read_steps, similarity

PROBLEM = Countdown((12, 2, 11, 6), 52)
SOLUTION = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"

steps = st.builds(
    Step, st.integers(0, 12), st.sampled_from("+-*/"), st.integers(0, 12), st.integers(0, 144)
)  # right and wrong ones
solutions = st.lists(steps, min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("other", "score"),
    [
        ("11 * 6 = 66 left 12 2 66 ; 12 + 2 = 14 left 66 14 ; 66 - 14 = 52", 5),  # operands swapped
        ("2 + 12 = 14 left 11 6 14 ; 6 * 11 = 66 left 14 66 ; 66 - 14 = 52", 4),  # another order
        ("6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 + 14 = 80", 3),  # 2 shared of 4: J = 1/2
        ("6 * 11 = 66 left 12 2 66 ; 66 - 12 = 54 left 2 54 ; 54 - 2 = 52", 2),  # 1 shared of 5: J = 1/5
        ("2 * 12 = 24 left 11 6 24 ; 6 + 11 = 17 left 24 17 ; 24 - 17 = 7", 1),  # none shared, but * + - as well
        ("12 - 2 = 10 left 11 6 10 ; 10 * 6 = 60 left 11 60 ; 60 - 11 = 49", 0),
    ],
)
def test_each_score_by_a_hand_made_pair(other: str, score: int) -> None:
    assert similarity(read_steps(SOLUTION), read_steps(other)) == score


def test_operands_of_minus_and_divide_have_an_order() -> None:
    assert similarity(read_steps("8 / 2 = 4"), read_steps("2 / 8 = 4")) == 1
    assert similarity(read_steps("8 - 2 = 6"), read_steps("2 - 8 = 6")) == 1


def test_a_repeated_step_counts_as_often_as_it_stands_there() -> None:
    once, twice = read_steps("1 + 1 = 2"), read_steps("1 + 1 = 2 ; 1 + 1 = 2")
    assert similarity(once, twice) == 3  # J = 1/2
    assert similarity(once, (*twice, *once)) == 2  # J = 1/3


def test_nothing_can_be_said_of_a_solution_without_steps() -> None:
    with pytest.raises(ValueError, match="without steps"):
        similarity(read_steps("I give up"), read_steps(SOLUTION))


@given(solutions, solutions)
def test_similarity_is_symmetric(first: list[Step], second: list[Step]) -> None:
    assert similarity(first, second) == similarity(second, first)


@given(solutions)
def test_a_solution_is_the_same_as_itself(solution: list[Step]) -> None:
    assert similarity(solution, solution) == 5


@given(solutions, solutions)
def test_swapping_the_operands_of_plus_and_times_changes_nothing(first: list[Step], second: list[Step]) -> None:
    swapped = [Step(s.right, s.operation, s.left, s.result) if s.operation in "+*" else s for s in first]
    assert similarity(swapped, second) == similarity(first, second)
    assert similarity(first, swapped) == 5


@given(st.permutations(read_steps(SOLUTION)))
def test_another_order_of_the_same_steps_is_one_point_less(order: list[Step]) -> None:
    assert similarity(order, read_steps(SOLUTION)) == (5 if tuple(order) == read_steps(SOLUTION) else 4)


def test_steps_are_read_wherever_they_stand() -> None:
    text = "First 6*11=66. Then 2 + 12 = 15 (a slip), done"
    assert read_steps(text) == (Step(6, "*", 11, 66), Step(2, "+", 12, 15))
    assert [step.is_true for step in read_steps(text)] == [True, False]


@pytest.mark.parametrize("text", ["1234567890 + 1 = 2", "1 + 1 = 1234567890", "6 x 11 = 66", "6 * 11", ""])
def test_what_is_no_step_is_not_read(text: str) -> None:
    assert read_steps(text) == ()


def test_a_problem_is_read_as_it_is_written() -> None:
    assert read_problem(PROBLEM.text) == PROBLEM
    assert read_problem("2 6 11 12 target 52").identity == PROBLEM.identity
    with pytest.raises(ValueError, match="not a countdown problem"):
        read_problem("12 2 11 6")


def enumerated(numbers: tuple[int, ...], target: int) -> Iterator[tuple[Step, ...]]:
    """All solutions that can be written down, by trying every pair and operation on what is left."""
    if len(numbers) == 1:
        if numbers[0] == target:
            yield ()
        return
    for i, j in permutations(range(len(numbers)), 2):
        left, right = Fraction(numbers[i]), Fraction(numbers[j])
        results = {"+": left + right, "-": left - right, "*": left * right}
        if right:
            results["/"] = left / right
        rest = [number for place, number in enumerate(numbers) if place not in (i, j)]
        for operation, result in results.items():
            if result >= 0 and result.denominator == 1:
                step = Step(numbers[i], operation, numbers[j], int(result))
                for more in enumerated((*rest, int(result)), target):
                    yield (step, *more)


@pytest.mark.parametrize("target", [0, 1, 5, 7, 8])
def test_a_solution_is_one_that_enumeration_finds(target: int) -> None:
    numbers = (2, 3, 1)
    found = set(enumerated(numbers, target))
    assert found
    every_step = [
        Step(left, operation, right, result)
        for left, operation, right in product(range(7), "+-*/", range(7))
        for result in {left + right, abs(left - right), left * right, left // max(right, 1)}
        if result <= max(target, 6)
    ]
    first_steps = [step for step in every_step if {step.left, step.right} <= {0, *numbers}]
    candidates = {(first, second) for first in first_steps for second in every_step}
    problem = Countdown(numbers, target)
    assert {candidate for candidate in candidates if is_solution(problem, candidate)} == found & candidates
    assert found <= candidates
    assert all(is_solution(problem, solution) for solution in found)


def test_a_solution_leaves_only_the_target() -> None:
    assert is_solution(PROBLEM, read_steps(SOLUTION))
    assert not is_solution(PROBLEM, read_steps("6 * 11 = 66 ; 66 - 14 = 52"))  # 14 was never made
    assert not is_solution(PROBLEM, read_steps("12 + 2 = 14 ; 6 * 11 = 66"))  # two numbers are left
    assert not is_solution(Countdown((4, 13, 1), 52), read_steps("4 * 13 = 52"))  # 1 is left over
    assert not is_solution(PROBLEM, ())
    assert is_solution(Countdown((7,), 7), ())
