"""One number for a response from the rewards of its steps.

A process reward model scores every step; Best-of-N and weighted voting need one number a response. Which of the usual
ways is best depends on the model, so the steps are kept and what hangs on the choice can be shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

_BY_NAME: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "product": math.prod,
    "last": lambda steps: steps[-1],
    "mean": lambda steps: math.fsum(steps) / len(steps),
}
AGGREGATES = tuple(_BY_NAME)
"""The weakest step (Lightman et al. 2023, arXiv 2305.20050, have it and the product), all steps as if independent, the
last step's, and their mean."""


def aggregate(steps: Sequence[float], how: str) -> float:
    """One number from the rewards of a response's steps.

    Args:
        steps: One reward a step, in their order.
        how: One of `AGGREGATES`.

    Raises:
        ValueError: there is no step, one's reward is not a finite number, or there is no such aggregate.
    """
    if how not in _BY_NAME:
        raise ValueError(f"no aggregate {how!r}; there are {', '.join(AGGREGATES)}")
    if not len(steps):
        raise ValueError("a response without steps has no reward")
    if not all(math.isfinite(step) for step in steps):
        raise ValueError(f"rewards of steps must be finite numbers, not {list(steps)}")
    return float(_BY_NAME[how](steps))
