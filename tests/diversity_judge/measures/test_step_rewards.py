"""One reward a response from those of its steps."""

from __future__ import annotations

import math

import pytest

from diversity_judge.measures.step_rewards import AGGREGATES, aggregate


@pytest.mark.parametrize(("how", "value"), [("min", 0.2), ("product", 0.05), ("last", 0.5), ("mean", 0.4)])
def test_each_aggregate_of_three_steps(how: str, value: float) -> None:
    assert aggregate([0.5, 0.2, 0.5], how) == pytest.approx(value, abs=1e-15)


def test_of_one_step_all_say_the_same() -> None:
    assert {aggregate([0.3], how) for how in AGGREGATES} == {0.3}


@pytest.mark.parametrize("how", AGGREGATES)
@pytest.mark.parametrize("steps", [[], [0.5, math.nan], [math.inf]])
def test_what_has_no_reward_is_refused(steps: list[float], how: str) -> None:
    with pytest.raises(ValueError, match="steps"):
        aggregate(steps, how)


def test_an_unknown_aggregate_names_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="min, product, last, mean"):
        aggregate([0.5], "max")
