"""Where a router is uncertain about a token: how much of its softmax the top k leave untaken.

A row's untaken mass is 1 - sum of p_i over its k best experts, from 0 (the k hold everything) to 1 - k/E (all experts
alike). It is what Expert-Sample could hand to others, and it is known before the layer's experts run. A row is fragile
where it is at least the request's `fragile_from`.

All paths must find the same rows fragile, to the bit, and a sum of floats depends on the order of its terms. So each
exp(g_i - max g) is made of single-rounded float32 steps, as `noise.natural_log` is, and cut to a whole number of
2**-30; sums of whole numbers have no order, and the threshold is one too, in units of 2**-16.
"""

from __future__ import annotations

import math

import torch

from generation.expert_sample.noise import LN2_HIGH, LN2_LOW

LOG2_E = 1.4426950408889634
LOWEST_EXPONENT = -87.0  # about the lowest power of e that a normal float32 holds
POWER_UNITS = 2.0**30
"""An expert's share relative to the best one's is cut to a whole number of 1 / POWER_UNITS."""
THRESHOLD_BITS = 16
"""Thresholds are whole numbers of 2**-THRESHOLD_BITS: with 2**16 experts at most, products stay below 2**63."""


def threshold(fragile_from: float) -> int:
    """Express a least untaken mass, 0..1, in the units of the kernels, rounded up so that only 0 is 0."""
    return math.ceil(fragile_from * (1 << THRESHOLD_BITS))


def fragile(ranked: torch.Tensor, thresholds: torch.Tensor, *, k: int) -> torch.Tensor:
    """Find the rows whose untaken mass is at least their threshold; at threshold 0 all, at 1 none.

    Args:
        ranked: (T, E) float32 logits from high to low, NaN as minus infinity.
        thresholds: (T,) int32, from `threshold`.
        k: number of active experts, 1..E.

    Returns:
        (T,) bool.
    """
    difference = ranked - ranked[:, :1]
    # Equal infinities: the same share, as in the limit of equal logits.
    powers = (exponential(torch.where(difference.isnan(), 0.0, difference)) * POWER_UNITS).to(torch.int64)
    untaken, total = powers[:, k:].sum(1), powers.sum(1)
    return (untaken << THRESHOLD_BITS) >= thresholds.to(torch.int64) * total


def exponential(x: torch.Tensor) -> torch.Tensor:
    """Exponential of float32 x <= 0 within 2 units in the last place, zero below e**-87."""
    clipped = x.clamp(min=LOWEST_EXPONENT)
    n = (clipped * LOG2_E + 0.5).floor()
    f = (clipped - n * LN2_HIGH) - n * LN2_LOW
    series = ((((1 / 5040 * f + 1 / 720) * f + 1 / 120) * f + 1 / 24) * f + 1 / 6) * f + 0.5
    power = ((n.to(torch.int32) + 127) << 23).view(torch.float32)
    value = (series * f * f + f + 1.0) * power
    return torch.where(x >= LOWEST_EXPONENT, value, 0.0)
