"""A verdict follows from an interval, and from nothing else."""

import numpy as np
import pytest

from diversity_judge.measures.intervals import Estimate
from examples.miniature.claims import (
    DIVERSITY_MARGIN,
    Claim,
    Verdict,
    both,
    fall,
    gain,
    head_and_flat_tail,
    loss,
    no_loss,
    speed_kept,
    summary,
)


def effect(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, (high - low) / 4, 100, "made up")


@pytest.mark.parametrize(
    ("low", "high", "of_gain", "of_loss", "of_no_loss"),
    [
        (0.01, 0.05, Verdict.HOLDS, Verdict.OPPOSITE, Verdict.HOLDS),
        (-0.05, -0.03, Verdict.OPPOSITE, Verdict.HOLDS, Verdict.FAILS),
        (-0.01, 0.01, Verdict.FAILS, Verdict.FAILS, Verdict.HOLDS),  # no difference of 2 points either way
        (-0.04, 0.04, Verdict.OPEN, Verdict.OPEN, Verdict.OPEN),
        (-0.01, 0.04, Verdict.OPEN, Verdict.OPEN, Verdict.HOLDS),
        (0.0, 0.0, Verdict.OPEN, Verdict.OPEN, Verdict.OPEN),  # no problem differs: nothing is known of the spread
        (-0.015, -0.005, Verdict.OPPOSITE, Verdict.HOLDS, Verdict.HOLDS),  # a loss, but a small one
    ],
)
def test_verdicts(low: float, high: float, of_gain: Verdict, of_loss: Verdict, of_no_loss: Verdict) -> None:
    found = effect(low, high)
    assert (gain(found), loss(found), no_loss(found)) == (of_gain, of_loss, of_no_loss)


def test_a_margin_of_points_is_none_of_diversity() -> None:
    found = effect(-0.025, 0.025)
    assert gain(found) is Verdict.OPEN
    assert gain(found, DIVERSITY_MARGIN) is loss(found, DIVERSITY_MARGIN) is Verdict.FAILS
    assert no_loss(found) is Verdict.OPEN
    assert no_loss(found, DIVERSITY_MARGIN) is Verdict.HOLDS


def test_a_claim_of_two_parts_is_as_strong_as_its_weaker_part() -> None:
    assert both(Verdict.HOLDS, Verdict.HOLDS) is Verdict.HOLDS
    assert both(Verdict.HOLDS, Verdict.OPEN) is Verdict.OPEN
    assert both(Verdict.OPEN, Verdict.FAILS) is Verdict.FAILS
    assert both(Verdict.HOLDS, Verdict.OPPOSITE) is Verdict.FAILS


def test_the_summary_counts() -> None:
    claims = [Claim("1", "a", "b", verdict) for verdict in (Verdict.HOLDS, Verdict.OPEN, Verdict.HOLDS, Verdict.FAILS)]
    assert summary(claims) == "Of 4 claims, 2 hold, 1 does not hold, 1 cannot be told here."


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([0.99, 1.0, 1.01, 1.0], Verdict.HOLDS),
        ([0.90, 0.91, 0.89, 0.90], Verdict.FAILS),
        ([0.90, 1.10, 0.95, 1.05], Verdict.OPEN),
        ([1.0], Verdict.OPEN),
    ],
)
def test_speed_is_decided_by_the_interval_over_rounds(ratios: list[float], verdict: Verdict) -> None:
    assert speed_kept(np.array(ratios)).verdict is verdict


def test_the_fall_of_a_geometric_series_is_its_ratio() -> None:
    series = np.array([[0.4 * 0.7**rank for rank in range(5)], [0.1 * 0.95**rank for rank in range(5)]])
    assert fall(series) == pytest.approx([0.3, 0.05])


@pytest.mark.parametrize(
    ("tail", "steeper", "verdict"),
    [
        (effect(0.05, 0.07), effect(0.30, 0.35), Verdict.HOLDS),
        (effect(0.12, 0.15), effect(0.30, 0.35), Verdict.FAILS),  # no flat tail
        (effect(0.05, 0.07), effect(-0.05, -0.01), Verdict.FAILS),  # no head
        (effect(0.08, 0.12), effect(0.30, 0.35), Verdict.OPEN),
        (effect(0.05, 0.07), effect(-0.01, 0.35), Verdict.OPEN),
    ],
)
def test_head_and_tail_are_decided_by_intervals(tail: Estimate, steeper: Estimate, verdict: Verdict) -> None:
    assert head_and_flat_tail(tail, steeper) is verdict
