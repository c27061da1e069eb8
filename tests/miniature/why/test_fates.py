"""How a solution leaves another one: by hand, and against all ways to go on."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from diversity_judge.countdown import Countdown, Step, read_problem, read_steps
from examples.miniature.problems import allowed, draw
from examples.miniature.why.fates import Fate, Kind, departure, fate, state_after

PROBLEM = read_problem("12 2 11 6 target 52")
RIGHT = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"
WRONG = "6 * 11 = 66 left 12 2 66 ; 66 / 2 = 33 left 12 33 ; 33 + 12 = 45"


@pytest.mark.parametrize(
    ("reference", "text", "kind"),
    [
        (RIGHT, RIGHT, Kind.SAME),
        (RIGHT, RIGHT.replace("6 * 11", "11 * 6"), Kind.SAME),  # operands in another order: the same step
        (WRONG, RIGHT, Kind.BETTER),
        (RIGHT, WRONG, Kind.WORSE),
        (RIGHT, "2 + 12 = 14 left 11 6 14 ; 6 * 11 = 66 left 14 66 ; 66 - 14 = 52", Kind.SIDEWAYS),
        (WRONG, "6 * 11 = 66 left 12 2 66 ; 66 * 2 = 132 left 12 132 ; 132 / 12 = 11", Kind.LOST),
        (WRONG, WRONG.replace("33 + 12 = 45", "33 - 12 = 21"), Kind.GONE),
        (RIGHT, "6 * 11 = 67 left 12 2 67", Kind.WORSE),  # a slip
        (RIGHT, "6 * 11 = 66 left 12 2 66 ; 50 + 2 = 52", Kind.WORSE),  # a number that is not there
        (RIGHT, "6 * 11 = 66 left 12 2 66", Kind.WORSE),  # broken off
        ("", RIGHT, Kind.BETTER),  # the reference writes no step at all
        (RIGHT, f"{RIGHT} ; 52 + 52 = 104", Kind.WORSE),  # there, and goes on
    ],
)
def test_the_first_step_that_differs_says_how(reference: str, text: str, kind: Kind) -> None:
    assert departure(PROBLEM, read_steps(reference), read_steps(text)) is kind


def reaches(state: tuple[int, ...], target: int) -> bool:
    """By every order of the numbers and every operation on the first two."""
    if len(state) == 1:
        return state[0] == target
    for first, second, *rest in permutations(state):
        results = [first + second, first * second, first - second]
        results += [first // second] if second and first % second == 0 else []
        if any(result >= 0 and reaches((result, *rest), target) for result in results):
            return True
    return False


def expected(problem: Countdown, reference: tuple[Step, ...], steps: tuple[Step, ...]) -> Kind:
    """The same question, asked of what the two states hold."""
    left = list(problem.numbers)
    for one, other in zip(steps, reference, strict=True):
        before = reaches(tuple(left), problem.target)
        if one.canonical == other.canonical:
            left = without(left, one)
            continue
        taken, kept = (reaches(tuple(without(left, step)), problem.target) for step in (one, other))
        if not before:
            return Kind.GONE
        return {(True, True): Kind.SIDEWAYS, (True, False): Kind.BETTER, (False, True): Kind.WORSE}.get(
            (taken, kept), Kind.LOST
        )
    return Kind.SAME


def without(left: list[int], step: Step) -> list[int]:
    rest = list(left)
    rest.remove(step.left)
    rest.remove(step.right)
    return [*rest, step.result]


def any_path(rng: random.Random, problem: Countdown) -> tuple[Step, ...]:
    left, steps = list(problem.numbers), []
    while len(left) > 1:
        step = rng.choice(allowed(*rng.sample(left, 2)))
        left = without(left, step)
        steps.append(step)
    return tuple(steps)


def test_kinds_are_what_looking_at_every_way_to_go_on_says() -> None:
    rng = random.Random(0)
    seen: set[Kind] = set()
    while len(seen) < len(Kind) - 1:  # all but the undecided, which four numbers never are
        problem, solution = draw(rng, 4)
        try:
            reference, steps = (rng.choice([solution, any_path(rng, problem)]) for _ in range(2))
        except IndexError:
            continue  # two numbers that nothing can be done with
        kind = departure(problem, reference, steps)
        assert kind is expected(problem, reference, steps)
        seen.add(kind)


def test_too_many_numbers_are_undecided_until_few_are_left() -> None:
    problem = Countdown((1, 2, 3, 4, 5, 6, 7, 8), 36)
    sums = [Step(1, "+", 2, 3), Step(3, "+", 3, 6), Step(6, "+", 4, 10), Step(10, "+", 5, 15)]
    assert departure(problem, sums, [Step(8, "-", 1, 7)]) is Kind.UNDECIDED
    # Four numbers left after the fourth step: decided, though it began undecided.
    ends = [*sums, Step(15, "+", 6, 21), Step(21, "+", 7, 28), Step(28, "+", 8, 36)]
    assert departure(problem, ends, [*sums, Step(8, "-", 7, 1)]) in (Kind.SIDEWAYS, Kind.WORSE)
    assert fate((1, 2, 3, 4, 5, 6), 36) is Fate.UNDECIDED


def test_a_state_is_what_is_left_or_nothing_where_a_step_may_not_be_done() -> None:
    assert state_after((2, 6, 11, 12), Step(6, "*", 11, 66)) == (2, 12, 66)
    assert state_after((6, 11), Step(6, "+", 6, 12)) is None
    assert state_after((6, 11), Step(6, "+", 11, 18)) is None
    assert state_after(None, Step(6, "+", 11, 17)) is None
