"""How many pairs a pilot asks for: against the width that then comes, and against what two stages promise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.two_stage import Setting, Simulation, intervals, simulate
from diversity_judge.choices import Level
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.two_stage import CLOSE, pairs_needed

LEVELS: tuple[Level, ...] = ("group", "strategy", "difference")


def study(level: Level, seed: int = 2) -> tuple[Simulation, np.ndarray]:
    simulation = Simulation(Setting(level, 0.5), np.random.default_rng(seed))
    return simulation, simulation.draw()[0]


@pytest.mark.parametrize("level", LEVELS)
def test_a_narrow_target_takes_more_pairs_and_a_wide_one_no_more_than_the_pilot(level: Level) -> None:
    simulation, drawn = study(level)
    pilot = simulation.groups(drawn, 16)
    wide = pairs_needed(pilot, level, 0.9, 16)
    assert (wide.pairs, wide.all_pairs, wide.is_reached) == (16, 120, True)
    target = (wide.width_of_pilot + wide.width_of_all) / 2
    between = pairs_needed(pilot, level, target, 16)
    assert 16 < between.pairs < 120
    assert between.width <= target


@pytest.mark.parametrize("level", LEVELS)
def test_an_unreachable_target_buys_no_more_than_comes_close_to_all_pairs(level: Level) -> None:
    simulation, drawn = study(level)
    found = pairs_needed(simulation.groups(drawn, 16), level, 0.001, 16)
    assert not found.is_reached
    assert found.pairs < 120
    assert found.width <= max(CLOSE * found.width_of_all, 0.0)


@pytest.mark.parametrize("level", LEVELS)
def test_the_expected_width_is_the_mean_of_those_that_come(level: Level) -> None:
    expected, came = [], []
    for seed in range(12):
        simulation, drawn = study(level, seed)
        found = pairs_needed(simulation.groups(drawn, 16), level, 0.001, 16)
        expected.append(found.width_of_pilot)
        widths = [e.high - e.low for e in intervals(simulation.groups(drawn, 16), level)]
        came.append(float(np.mean(widths)) if level == "group" else max(widths))
    # The pilot's own width is known exactly for problems, on average for groups, and planned with some assurance.
    assert np.mean(expected) == pytest.approx(np.mean(came), rel=0.08)


@pytest.mark.parametrize("level", ["strategy", "difference"])
def test_the_intervals_of_two_stages_hold_the_truth(level: Level) -> None:
    row = simulate(replace(Setting(level, 0.5), responses=10, problems=8), 120, np.random.default_rng(3))
    assert row.is_wanted, row


def test_what_has_no_such_interval_is_refused() -> None:
    simulation, drawn = study("strategy")
    one = [group for group in simulation.groups(drawn, 16) if group.strategy == "0"]
    with pytest.raises(ValueError, match="two strategies"):
        pairs_needed(one, "difference", 0.1, 16)
    with pytest.raises(ValueError, match="two problems"):
        pairs_needed(one[:1], "strategy", 0.1, 16)


def test_equal_scores_need_no_more_than_the_pilot() -> None:
    simulation, drawn = study("strategy")
    flat = [
        JudgedGroup(g.problem, g.strategy, simulation.matrix(np.full_like(drawn[0, 0], 0.4), 16))
        for g in simulation.groups(drawn, 16)
    ]
    found = pairs_needed(flat, "strategy", 0.05, 16)
    assert (found.pairs, found.is_reached) == (16, True)
    assert not math.isnan(found.width)
