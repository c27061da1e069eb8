"""Countdown, a task whose solutions can be compared exactly: reach a target from a few numbers, each used once.

    problem     12 2 11 6 target 52
    solution    6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52

A step takes two of the numbers that are left and puts their result in their place. What a text says is read here;
whether it is right and how alike two texts are follows from the steps alone.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

_STEP = re.compile(r"(?<!\d)(\d{1,9})\s*([-+*/])\s*(\d{1,9})\s*=\s*(\d{1,9})(?!\d)")
_PROBLEM = re.compile(r"\s*((?:\d{1,9}\s+)+)target\s+(\d{1,9})\s*")

_APPLY: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMMUTATIVE = "+*"

SAME, REORDERED, MOST, SOME, DIRECTION, NOTHING = 5, 4, 3, 2, 1, 0
"""The rubric's six scores, by what two solutions share."""


@dataclass(frozen=True, slots=True)
class Countdown:
    """A problem: the numbers, in the order in which they are shown, and the target."""

    numbers: tuple[int, ...]
    target: int

    @property
    def text(self) -> str:
        """As a model is shown it."""
        return f"{' '.join(map(str, self.numbers))} target {self.target}"

    @property
    def identity(self) -> tuple[tuple[int, ...], int]:
        """The same for all problems that differ only in the order of their numbers."""
        return tuple(sorted(self.numbers)), self.target


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a solution, `left operation right = result`, right or wrong."""

    left: int
    operation: str
    right: int
    result: int

    @property
    def canonical(self) -> tuple[str, int, int]:
        """The operation and its operands, which are sorted where their order means nothing.

        Without the result, which follows: a slip in a sum does not make another idea of it.
        """
        if self.operation in _COMMUTATIVE:
            return self.operation, min(self.left, self.right), max(self.left, self.right)
        return self.operation, self.left, self.right

    @property
    def is_true(self) -> bool:
        """Whether the equation holds."""
        if self.operation == "/" and self.right == 0:
            return False
        return _APPLY[self.operation](Fraction(self.left), Fraction(self.right)) == self.result


def read_problem(text: str) -> Countdown:
    """Read `12 2 11 6 target 52`.

    Raises:
        ValueError: the text is not of this form.
    """
    match = _PROBLEM.fullmatch(text)
    if match is None:
        raise ValueError(f"not a countdown problem, such as '12 2 11 6 target 52': {text!r}")
    return Countdown(tuple(map(int, match[1].split())), int(match[2]))


def read_steps(text: str) -> tuple[Step, ...]:
    """All steps that a text writes down, in order; empty where there is none. What stands between them is not read."""
    return tuple(Step(int(left), sign, int(right), int(result)) for left, sign, right, result in _STEP.findall(text))


def is_solution(problem: Countdown, steps: Sequence[Step]) -> bool:
    """Whether every step is true and uses numbers that are left, and only the target is left in the end."""
    left = Counter(problem.numbers)
    for step in steps:
        used = Counter((step.left, step.right))
        if not step.is_true or not used <= left:
            return False
        left -= used
        left[step.result] += 1
    return left == Counter((problem.target,))


def similarity(first: Sequence[Step], second: Sequence[Step]) -> int:
    """How alike two solutions are, 0..5, symmetric.

    The rubric's words, made exact with J, the Jaccard index of the multisets of canonical steps (3 of 4 steps in
    common: J = 3 / 5):

        5  the same steps in the same order (operands of + and * may change places: only the wording differs)
        4  the same steps in another order (J = 1)
        3  J >= 1/2: of three steps two are shared
        2  J > 0: a step is shared
        1  no step is shared, but the operations are the same in the same order: a similar direction
        0  nothing is shared

    Raises:
        ValueError: a solution without any step, of which nothing can be said.
    """
    if not first or not second:
        raise ValueError("a solution without steps cannot be compared")
    ours, theirs = [step.canonical for step in first], [step.canonical for step in second]
    if ours == theirs:
        return SAME
    shared, union = Counter(ours) & Counter(theirs), Counter(ours) | Counter(theirs)
    jaccard = Fraction(shared.total(), union.total())
    if jaccard == 1:
        return REORDERED
    if jaccard >= Fraction(1, 2):
        return MOST
    if jaccard > 0:
        return SOME
    return DIRECTION if [step.operation for step in first] == [step.operation for step in second] else NOTHING
