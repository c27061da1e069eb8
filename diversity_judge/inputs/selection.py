"""Which of the groups that were read are used: some strategies, the first few problems."""

from __future__ import annotations

from collections.abc import Sequence

from diversity_judge.command import meant
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Group
from diversity_judge.text_safety import printable


def select(
    groups: Sequence[Group], *, strategies: Sequence[str] | None = None, limit: int | None = None
) -> tuple[Group, ...]:
    """The groups of some strategies, of the first problems.

    Args:
        groups: In the order of the input.
        strategies: Names; None for all.
        limit: Problems, in order of first appearance among these strategies; None for all.

    Raises:
        InputError: there is no such strategy, or the limit leaves nothing.
    """
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1 problem, not {limit}")
    if strategies is not None:
        check_strategies(strategies, [group.strategy for group in groups])
        groups = [group for group in groups if group.strategy in strategies]
    problems = list(dict.fromkeys(group.problem_id for group in groups))[:limit]
    wanted = frozenset(problems)
    return tuple(group for group in groups if group.problem_id in wanted)


def check_strategies(strategies: Sequence[str], known: Sequence[str]) -> None:
    """Make sure that each of these is the name of a strategy.

    Raises:
        InputError: one is not; the message says which was meant, and lists those that there are.
    """
    known = list(dict.fromkeys(known))
    for name in strategies:
        if name not in known:
            there = ", ".join(printable(strategy, 40) for strategy in known)
            raise InputError(
                f"--strategy {printable(name, 60)}: no such strategy{meant(name, known)}; there are {there}"
            )
