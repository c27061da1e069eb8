"""Dots that would cover one another, moved apart: a heap shows how many there are, a line does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def swarm(values: Sequence[float], *, width: float, most: float) -> list[float]:
    """How far each dot is moved off its line, in dots; its place along the line stays what it is.

    Dots whose values fall into one interval are heaped symmetrically around the line, in order of value, so that the
    same values always give the same picture. A heap that would be too high is pressed together.

    Args:
        values: Of the dots, along the line.
        width: Of a dot, in units of the values.
        most: The largest distance from the line, in dots.
    """
    heaps: dict[int, list[int]] = defaultdict(list)
    for place in sorted(range(len(values)), key=lambda place: values[place]):
        heaps[round(values[place] / width)].append(place)
    offsets = [0.0] * len(values)
    for heap in heaps.values():
        half = (len(heap) - 1) / 2
        pressed = min(1.0, most / half) if half else 1.0
        for position, place in enumerate(heap):
            offsets[place] = (position - half) * pressed
    return offsets
