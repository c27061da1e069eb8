"""Countdown problems with a solution, drawn at random, and which of them are held out.

A problem and its solution come from one random path: pick two of the numbers that are left and an operation that
keeps to the rules, until one number is left; it is the target if it lies in the range. So all solutions of a problem
can be drawn, and the model learns that there are several.

Whether a problem is held out is decided by a hash of its numbers, whatever their order, and its target: neither
a list to carry around nor a way for a held-out problem to get into training.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

from diversity_judge.countdown import Countdown, Step

LARGEST_START = 12
TARGETS = range(10, 100)
LARGEST = 199
"""Results beyond it are not allowed: every number up to it is one token."""

_HELD_OUT_SHARE = 0.1
_HASHED = 2**32


def is_held_out(problem: Countdown) -> bool:
    """Whether training must never see this problem: a tenth of all."""
    numbers, target = problem.identity
    digest = hashlib.sha256(f"{numbers}>{target}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < _HELD_OUT_SHARE * _HASHED


def draw(rng: random.Random, n_numbers: int) -> tuple[Countdown, tuple[Step, ...]]:
    """One problem with one of its solutions."""
    while True:
        numbers = tuple(rng.randint(1, LARGEST_START) for _ in range(n_numbers))
        steps = _random_path(rng, list(numbers))
        if steps and steps[-1].result in TARGETS:
            return Countdown(numbers, steps[-1].result), steps


def _drawn(rng: random.Random, n_numbers: int) -> Iterator[tuple[Countdown, tuple[Step, ...]]]:
    while True:
        yield draw(rng, n_numbers)


def draw_training(rng: random.Random) -> tuple[Countdown, tuple[Step, ...]]:
    """One problem for training, with a solution: four numbers, in a fifth of the cases three."""
    while True:
        problem, steps = draw(rng, 3 if rng.random() < 0.2 else 4)
        if not is_held_out(problem):
            return problem, steps


def solved_for_training(rng: random.Random, n_numbers: int) -> Iterator[tuple[Countdown, tuple[Step, ...]]]:
    """Problems that training may see, each with one of its solutions, without end."""
    return (drawn for drawn in _drawn(rng, n_numbers) if not is_held_out(drawn[0]))


def solved_held_out(
    rng: random.Random, n_numbers: int, targets: range = TARGETS
) -> Iterator[tuple[Countdown, tuple[Step, ...]]]:
    """Held-out problems with these targets, each with one of its solutions, without end."""
    return (drawn for drawn in _drawn(rng, n_numbers) if drawn[0].target in targets and is_held_out(drawn[0]))


def held_out(seed: int, n_numbers: int = 4, targets: range = TARGETS) -> Iterator[Countdown]:
    """Held-out problems, without end and without repetition, as likely as training draws those with these targets."""
    rng = random.Random(seed)
    seen = set()
    while True:
        problem, _ = draw(rng, n_numbers)
        if problem.target in targets and is_held_out(problem) and problem.identity not in seen:
            seen.add(problem.identity)
            yield problem


def solution_text(problem: Countdown, steps: tuple[Step, ...]) -> str:
    """The solution as it is written: each step but the last with the numbers that it leaves, the result last."""
    left = list(problem.numbers)
    lines = []
    for step in steps:
        left.remove(step.left)
        left.remove(step.right)
        left.append(step.result)
        rest = f" left {' '.join(map(str, left))}" if len(left) > 1 else ""
        lines.append(f"{step.left} {step.operation} {step.right} = {step.result}{rest}")
    return " ; ".join(lines)


def _random_path(rng: random.Random, left: list[int]) -> tuple[Step, ...]:
    steps = []
    while len(left) > 1:
        first = left.pop(rng.randrange(len(left)))
        second = left.pop(rng.randrange(len(left)))
        choices = allowed(first, second)
        if not choices:
            return ()
        steps.append(rng.choice(choices))
        left.append(steps[-1].result)
    return tuple(steps)


def allowed(first: int, second: int) -> list[Step]:
    """What can be done with two numbers: results are whole, positive and not too large; division by 1 is idle."""
    larger, smaller = max(first, second), min(first, second)
    choices = []
    if first + second <= LARGEST:
        choices.append(Step(first, "+", second, first + second))
    if larger > smaller:
        choices.append(Step(larger, "-", smaller, larger - smaller))
    if first * second <= LARGEST:
        choices.append(Step(first, "*", second, first * second))
    if smaller > 1 and larger % smaller == 0:
        choices.append(Step(larger, "/", smaller, larger // smaller))
    return choices
