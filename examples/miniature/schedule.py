"""The learning rate of every training here: up in a straight line, then down along a cosine."""

from __future__ import annotations

import math


def rate_at(step: int, *, highest: float, warmup: int, steps: int, floor: float) -> float:
    """The learning rate of a step.

    Args:
        step: From 0.
        highest: Reached at the end of the warm-up.
        warmup: Steps of warm-up.
        steps: Steps in all.
        floor: Share of the highest that the cosine ends in.
    """
    if step < warmup:
        return highest * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return highest * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))
