"""What each number is that a claim is about; the rules are tested in test_verdicts."""

import numpy as np
import pytest

from diversity_judge.measures.intervals import Estimate
from examples.miniature.claims import fall, head_and_flat_tail, speed_kept
from examples.miniature.verdicts import Claim, Verdict, decided


def effect(low: float, high: float) -> Estimate:
    """Its 95 % interval is about 4 standard errors wide."""
    return Estimate((low + high) / 2, low, high, (high - low) / 4, 100, "made up")


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([0.99, 1.0, 1.01, 1.0], Verdict.HOLDS),
        ([0.90, 0.91, 0.89, 0.90], Verdict.FAILS),
        ([0.90, 1.10, 0.95, 1.05], Verdict.OPEN),
        ([1.0], Verdict.OPEN),
    ],
)
def test_speed_is_decided_by_the_spread_over_rounds(ratios: list[float], verdict: Verdict) -> None:
    (claim,) = decided([speed_kept(np.array(ratios))])
    assert claim.verdict is verdict


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
        (effect(0.05, 0.07), effect(-0.05, 0.35), Verdict.OPEN),
    ],
)
def test_head_and_tail_are_decided_by_intervals(tail: Estimate, steeper: Estimate, verdict: Verdict) -> None:
    (claim,) = decided([Claim("2c", "a", "b", head_and_flat_tail(tail, steeper))])
    assert claim.verdict is verdict
