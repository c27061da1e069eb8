"""Curves of a router's probabilities by rank, and how far a router is from one."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from examples.miniature.curves import CURVES, distance, target  # noqa: E402 - torch may be missing


def test_a_curve_is_a_distribution_that_falls_through_its_points() -> None:
    wanted, points = target("flat", 64), CURVES["flat"]
    assert wanted is not None
    assert points is not None
    assert wanted.exp().sum().item() == pytest.approx(1)
    assert (wanted.diff() < 0).all()
    found = wanted[[0, 1, 2, 3, 4, 7, 15, 31, 63]]
    assert (found - found[0]).tolist() == pytest.approx([math.log(point / points[0]) for point in points], abs=1e-5)


def test_between_two_points_a_curve_is_a_power_of_the_rank() -> None:
    wanted = target("flat", 64)
    assert wanted is not None
    between = 0.030 * (0.020 / 0.030) ** (math.log(11 / 8) / math.log(16 / 8))  # rank 11, between 8 and 16
    assert (wanted[10] - wanted[7]).item() == pytest.approx(math.log(between / 0.030), abs=1e-5)


def test_the_flat_curve_is_what_was_decided_before_anything_was_sampled() -> None:
    wanted = target("flat", 64)
    assert wanted is not None
    found = [wanted[rank - 1].exp().item() for rank in (1, 2, 4, 8, 16, 32, 64)]
    assert found == pytest.approx([0.1060, 0.0727, 0.0424, 0.0303, 0.0202, 0.0096, 0.0040], abs=6e-5)


def test_a_peaked_router_is_pulled_nowhere() -> None:
    assert target("peaked", 64) is None


def test_the_distance_is_zero_on_the_curve_whatever_the_experts_order_and_the_logits_height() -> None:
    wanted = target("flat", 64)
    assert wanted is not None
    orders = torch.stack([torch.randperm(64, generator=torch.Generator().manual_seed(seed)) for seed in range(5)])
    assert distance([wanted[orders] + 3.0, wanted[orders] - 1.0], wanted).item() == pytest.approx(0, abs=1e-9)


def test_the_distance_is_the_mean_square_over_layers_tokens_and_ranks() -> None:
    wanted = torch.tensor([0.75, 0.25]).log()
    even = torch.zeros(3, 2)
    off = (math.log(0.75 / 0.5) ** 2 + math.log(0.5 / 0.25) ** 2) / 2
    exact = wanted.repeat(3, 1)
    assert distance([even, exact], wanted).item() == pytest.approx(off / 2)
