"""Dots that lie on one another are moved apart, and stay where they are along their line."""

from __future__ import annotations

import numpy as np

from diversity_judge.drawing.swarm import swarm


def test_a_lone_dot_stays_on_the_line() -> None:
    assert swarm([0.1, 0.5, 0.9], width=0.02, most=3) == [0, 0, 0]


def test_equal_values_are_heaped_symmetrically_a_dot_apart() -> None:
    assert sorted(swarm([0.5] * 4, width=0.02, most=3)) == [-1.5, -0.5, 0.5, 1.5]


def test_a_heap_is_never_higher_than_wanted_and_its_dots_stay_apart() -> None:
    offsets = swarm([0.0] * 101, width=0.02, most=2)
    assert (min(offsets), max(offsets)) == (-2, 2)
    assert len(set(np.round(offsets, 9))) == 101


def test_nothing_gives_nothing() -> None:
    assert swarm([], width=0.1, most=1) == []
