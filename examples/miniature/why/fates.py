"""What a step decides: whether the target can still be reached after it.

A state is what is left after some steps, sorted; a step that is false, or uses a number that is not left, ends in None.
It is live where the rules still allow to reach the target from it: also by numbers that the miniature has no token for
(0, and more than 199), which hardly any state needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from diversity_judge.countdown import Countdown, Step
from examples.miniature.step_labels import can_reach

MOST_LEFT = 5
"""With more numbers left there are too many ways to look at: such states are undecided."""

State = tuple[int, ...] | None


class Fate(Enum):
    """Of a state."""

    LIVE = "live"
    DEAD = "dead"
    UNDECIDED = "undecided"


class Kind(Enum):
    """How a response leaves a reference, at the first step in which they differ."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    SIDEWAYS = "sideways"
    LOST = "lost"
    GONE = "gone"
    UNDECIDED = "undecided"


ABOUT = {
    Kind.SAME: "it does not leave it",
    Kind.BETTER: "for the better: the reference's step loses the target, its own keeps it",
    Kind.WORSE: "for the worse: the reference's step keeps the target, its own loses it",
    Kind.SIDEWAYS: "sideways: both steps keep the target",
    Kind.LOST: "both steps lose the target",
    Kind.GONE: "the target was out of reach already",
    Kind.UNDECIDED: "too many numbers left to say",
}


def state_after(state: State, step: Step) -> State:
    """What a step leaves; None where it may not be done."""
    if state is None or not step.is_true:
        return None
    left, used = Counter(state), Counter((step.left, step.right))
    if not used <= left:
        return None
    left -= used
    left[step.result] += 1
    return tuple(sorted(left.elements()))


def fate(state: State, target: int) -> Fate:
    """Whether the target can be reached from a state."""
    if state is None:
        return Fate.DEAD
    if len(state) > MOST_LEFT:
        return Fate.UNDECIDED
    return Fate.LIVE if can_reach(state, target) else Fate.DEAD


def departure(problem: Countdown, reference: Sequence[Step], steps: Sequence[Step]) -> Kind:
    """How a solution leaves a reference.

    Args:
        problem: Of both.
        reference: Its steps.
        steps: The solution's. Operands of + and * may change places: that is the same step.
    """
    state: State = tuple(sorted(problem.numbers))
    for own, other in zip(steps, reference, strict=False):
        if not _is_same(own, other):
            break
        state = state_after(state, own)
        steps, reference = steps[1:], reference[1:]
    if not steps and not reference:
        return Kind.SAME
    taken, left = (_next(state, rest, problem.target) for rest in (steps, reference))
    return _kind(fate(state, problem.target), left, taken)


def _is_same(one: Step, other: Step) -> bool:
    return one.canonical == other.canonical and one.result == other.result


def _next(state: State, rest: Sequence[Step], target: int) -> Fate:
    """After the next step; a solution that ends here has to be there."""
    if rest:
        return fate(state_after(state, rest[0]), target)
    return Fate.LIVE if state == (target,) else Fate.DEAD


def _kind(before: Fate, reference: Fate, taken: Fate) -> Kind:
    if before is Fate.DEAD:
        return Kind.GONE
    if Fate.UNDECIDED in (reference, taken):
        return Kind.UNDECIDED
    if reference is taken is Fate.DEAD:
        return Kind.LOST if before is Fate.LIVE else Kind.UNDECIDED
    if reference is taken:
        return Kind.SIDEWAYS
    return Kind.BETTER if taken is Fate.LIVE else Kind.WORSE
