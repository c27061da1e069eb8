"""A simple, honest verifier of countdown solutions, in place of a reward model.

It checks what can be seen in the solution's lines: that each equation is true, and that the last result is the target.
It does not look whether a number was there to be used, so a solution can please it and be wrong: like a reward model,
it is better than chance and no oracle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from diversity_judge.countdown import Countdown, read_problem, read_steps
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Response


def reward(problem: Countdown, text: str) -> float:
    """Share of the checks that a solution passes, in 0..1; a text without steps passes none."""
    steps = read_steps(text)
    if not steps:
        return 0.0
    passed = sum(step.is_true for step in steps) + (steps[-1].result == problem.target)
    return passed / (len(steps) + 1)


def with_rewards(responses: Iterable[Response]) -> Iterator[Response]:
    """The responses, each with its reward.

    Raises:
        InputError: a response carries no countdown problem.
    """
    for response in responses:
        try:
            problem = read_problem(response.problem or "")
        except ValueError as error:
            raise InputError(f"{response.problem_id}: {error}") from error
        yield replace(response, reward=reward(problem, response.text))
