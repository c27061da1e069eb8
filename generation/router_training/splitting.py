"""Which problems are trained on, and which decide when to stop: by problem, so that no problem is on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from diversity_judge.display import counted
from diversity_judge.errors import InputError


def held_out_problems(problems: Sequence[str], share: float, seed: int) -> frozenset[str]:
    """The problems that are held out: a function of the ids and the seed, whatever their order.

    Raises:
        InputError: nothing would be left on one of the sides.
    """
    distinct = sorted(set(problems), key=lambda problem: hashlib.sha256(f"{seed} {problem}".encode()).digest())
    n = round(share * len(distinct))
    if not 0 < n < len(distinct):
        side = "hold out" if n == 0 else "train on"
        raise InputError(
            f"{counted(len(distinct), 'problem')} with a right response, of which {share:g} are held out: none is left "
            f"to {side}; sample more problems, or change --held-out"
        )
    return frozenset(distinct[:n])
