"""What a process reward model of countdown learns from: attempts with slips, and whether each step is still right.

A step is good where all steps up to it hold (true equations, of numbers that were left) and the target can still be
reached from what is left; after the last step that means that the target is what is left. So a step that is true and
leads nowhere is bad, which no look at the equation alone can tell.

Attempts are made as the miniature errs: it leaves the way at some step without a slip, and writes the target behind its
last step whether that is true or not.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from diversity_judge.countdown import Countdown, Step
from examples.miniature.problems import LARGEST, LARGEST_START, allowed, draw_training

LEAVES_THE_WAY = 0.3
"""Chance of each step to be a random one instead of the solution's."""
FORCED_END = 0.8
"""Chance of a last step that misses the target to be written as if it did not."""
SLIP = 0.03
"""Chance of any other step to have a wrong result."""
STRANGE_NUMBER = 0.03
"""Chance of a step to use a number that is not left."""
BROKEN_OFF = 0.03
"""Chance of an attempt to end after each step."""


def labels(problem: Countdown, steps: Sequence[Step]) -> list[bool]:
    """Of each step, whether the solution so far is right and can still reach the target."""
    left, found, is_right = Counter(problem.numbers), [], True
    for step in steps:
        used = Counter((step.left, step.right))
        is_right = is_right and step.is_true and used <= left
        if is_right:
            left = left - used
            left[step.result] += 1
        found.append(is_right and can_reach(tuple(sorted(left.elements())), problem.target))
    return found


@lru_cache(maxsize=500_000)
def can_reach(numbers: tuple[int, ...], target: int) -> bool:
    """Whether the numbers, each used once, make the target; results are whole and not below 0.

    That is also so where the only ways lead over 0 or above `LARGEST`, which the miniature has no words for: 9, 12 and
    24 make 32 as 24 * 12 / 9 alone. It hardly matters. Results of 1 to 199 alone would change 1 of the 278,499 labels
    that the shipped reward model was trained with, and none of 13,672 of attempts at held-out problems.

    Args:
        numbers: Sorted.
        target: What is to be left.
    """
    if len(numbers) == 1:
        return numbers[0] == target
    for i in range(len(numbers)):
        for j in range(i + 1, len(numbers)):
            small, large = numbers[i], numbers[j]
            rest = numbers[:i] + numbers[i + 1 : j] + numbers[j + 1 :]
            results = {small + large, large - small, small * large}
            if small and large % small == 0:
                results.add(large // small)
            if any(can_reach(tuple(sorted((*rest, result))), target) for result in results):
                return True
    return False


def attempt(rng: random.Random) -> tuple[Countdown, tuple[Step, ...]]:
    """A training problem with an attempt at it, right or wrong; never a problem that is held out."""
    problem, solution = draw_training(rng)
    return problem, tuple(_steps(rng, problem, solution))


def words_of(problem: Countdown, steps: Sequence[Step]) -> list[str]:
    """Each step as the miniature writes it: the equation, and the numbers that are then left."""
    left, lines = list(problem.numbers), []
    for step in steps:
        for number in (step.left, step.right):
            if number in left:
                left.remove(number)
        left.append(step.result)
        rest = f" left {' '.join(map(str, left))}" if len(left) > 1 else ""
        lines.append(f"{step.left} {step.operation} {step.right} = {step.result}{rest}")
    return lines


def _steps(rng: random.Random, problem: Countdown, solution: Sequence[Step]) -> Iterator[Step]:
    left, is_on_the_way = list(problem.numbers), True
    for planned in solution:
        is_on_the_way = is_on_the_way and rng.random() >= LEAVES_THE_WAY
        step = planned if is_on_the_way else _any_step(rng, left)
        if step is None:
            return
        written = _written(rng, step, problem.target, is_last=len(left) == 2)
        is_on_the_way = is_on_the_way and written == planned
        for number in (step.left, step.right):
            left.remove(number)
        left.append(written.result)
        yield written
        if rng.random() < BROKEN_OFF:
            return


def _any_step(rng: random.Random, left: Sequence[int]) -> Step | None:
    """A step with two of the numbers that are left; None where no try finds one."""
    for _ in range(8):
        choices = allowed(*rng.sample(left, 2))
        if choices:
            return rng.choice(choices)
    return None


def _written(rng: random.Random, step: Step, target: int, *, is_last: bool) -> Step:
    """The step as it is written down: a missed target forced, a slip, or a number that is not there."""
    if is_last and step.result != target and rng.random() < FORCED_END:
        return Step(step.left, step.operation, step.right, target)
    if rng.random() < SLIP:
        off = rng.choice((-10, -2, -1, 1, 2, 10))
        return Step(step.left, step.operation, step.right, min(max(step.result + off, 1), LARGEST))
    if rng.random() < STRANGE_NUMBER:
        strange = allowed(step.left, rng.randint(1, LARGEST_START))
        return rng.choice(strange) if strange else step
    return step
