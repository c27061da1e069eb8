"""Expert-Sample on a GPU: one launch a layer in place of the model's top-k kernel.

Written with separate torch operators the method would be some fifteen launches a layer, each of which costs
more than its arithmetic. Here a program routes one token row in registers: it sorts the row once, so that a
lane's number is a rank, scores the lanes with noise, and picks the greatest scores one after another. There
is no synchronisation with the host and no shape that depends on data, so CUDA graphs replay it.

What keeps the choice equal to the reference: sort keys are distinct integers that hold (logit, expert
number) or (score, rank), and each floating-point step of a score is a single IEEE operation in the order of
`noise.natural_log`. So fused multiply-adds are switched off at the launch and the division is the rounded
one.
"""

# Triton reads annotations of kernels as its own, so they have none.
# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call"
from __future__ import annotations

import torch
import triton
import triton.language as tl

from generation.expert_sample import fragility, noise
from generation.expert_sample.rows import RowSettings

_GAMMA, _MIX_1, _MIX_2 = tl.constexpr(noise.GAMMA), tl.constexpr(noise.MIX_1), tl.constexpr(noise.MIX_2)
_LAYER_STRIDE = tl.constexpr(noise.LAYER_STRIDE)
_UNIFORM_SHIFT = tl.constexpr(64 - noise.UNIFORM_BITS)
_UNIFORM_MASK = tl.constexpr((1 << noise.UNIFORM_BITS) - 1)
_UNIFORM_STEP = tl.constexpr(noise.UNIFORM_STEP)
_SQRT_HALF_BITS = tl.constexpr(noise.SQRT_HALF_BITS)
_LN2_HIGH, _LN2_LOW = tl.constexpr(noise.LN2_HIGH), tl.constexpr(noise.LN2_LOW)
_LOG2_E, _LOWEST_EXPONENT = tl.constexpr(fragility.LOG2_E), tl.constexpr(fragility.LOWEST_EXPONENT)
_POWER_UNITS, _THRESHOLD_BITS = tl.constexpr(fragility.POWER_UNITS), tl.constexpr(fragility.THRESHOLD_BITS)
_LOWEST = tl.constexpr(-(2**63))

# A decode step has few rows, so what counts is how soon a row is done: one expert a thread, up to four warps.
_WARP = 32
_MAX_WARPS = 4


@triton.jit
def _mix(x):
    """`noise.mix` on int64."""
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * _MIX_1
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * _MIX_2
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


@triton.jit
def _log(x):
    """`noise.natural_log` on float32."""
    bits = x.to(tl.int32, bitcast=True)
    exponent = (bits - _SQRT_HALF_BITS) >> 23
    mantissa = (bits - (exponent << 23)).to(tl.float32, bitcast=True)
    e = exponent.to(tl.float32)
    s = tl.div_rn(mantissa - 1.0, mantissa + 1.0)
    z = s * s
    series = ((z * (1 / 9) + 1 / 7) * z + 1 / 5) * z + 1 / 3
    return e * _LN2_HIGH + (e * _LN2_LOW + (2.0 * s + 2.0 * s * (z * series)))


@triton.jit
def _exp(x):
    """`fragility.exponential` on float32."""
    clipped = tl.maximum(x, _LOWEST_EXPONENT)
    n = tl.floor(clipped * _LOG2_E + 0.5)
    f = (clipped - n * _LN2_HIGH) - n * _LN2_LOW
    series = ((((1 / 5040 * f + 1 / 720) * f + 1 / 120) * f + 1 / 24) * f + 1 / 6) * f + 0.5
    power = ((n.to(tl.int32) + 127) << 23).to(tl.float32, bitcast=True)
    return tl.where(x >= _LOWEST_EXPONENT, (series * f * f + f + 1.0) * power, 0.0)


@triton.jit
def _is_fragile(ranked, greatest, real, lane, k, threshold):
    """`fragility.fragile` for one row."""
    difference = ranked - greatest
    powers = (_exp(tl.where(difference == difference, difference, 0.0)) * _POWER_UNITS).to(tl.int32).to(tl.int64)
    total = tl.sum(tl.where(real, powers, 0), axis=0)
    untaken = tl.sum(tl.where(real & (lane >= k), powers, 0), axis=0)
    return (untaken << _THRESHOLD_BITS) >= threshold.to(tl.int64) * total


@triton.jit
def _ordinal(x):
    """Map float32 to int64 of the same order: -0 as 0, NaN as minus infinity."""
    bits = (tl.where(x == x, x, float("-inf")) + 0.0).to(tl.int32, bitcast=True)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.int64)


@triton.jit
def _float_at(ordinal):
    """The float32 of an ordinal."""
    bits = ordinal.to(tl.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)


@triton.jit
def _sort(keys):
    """Sort int64 from high to low."""
    return tl.sort(keys, descending=True)


@triton.jit(do_not_specialize=["row_stride", "layer"])
def _route_row(
    logits,
    keys,
    enabled,
    k_keep,
    r,
    inv_tau,
    fragile_from,
    weights,
    ids,
    row_stride,
    layer,
    n_experts: tl.constexpr,
    k: tl.constexpr,
    renormalize: tl.constexpr,
    leave_others: tl.constexpr,
    n_lanes: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    on = tl.load(enabled + row) != 0
    if leave_others and not on:
        return
    lane = tl.arange(0, n_lanes)
    logits += row * row_stride
    g = tl.load(logits + lane, mask=lane < n_experts, other=float("-inf")).to(tl.float32)

    # From here on a lane is a rank: the greatest logit first, then the lowest expert number.
    key = (_ordinal(g) << 16) | (0xFFFF - lane)
    key = _sort(tl.where(lane < n_experts, key, _LOWEST))
    expert = 0xFFFF - (key & 0xFFFF)
    real = lane < n_experts
    ranked = tl.where(real, _float_at(key >> 16), float("-inf"))
    greatest = tl.max(ranked, axis=0)

    threshold = tl.load(fragile_from + row)
    if threshold > 0:
        on = on & _is_fragile(ranked, greatest, real, lane, k, threshold)
    if leave_others and not on:
        return

    word = _mix(tl.load(keys + row) + (expert + layer.to(tl.int64) * _LAYER_STRIDE + 1) * _GAMMA)
    uniform = (((word >> _UNIFORM_SHIFT) & _UNIFORM_MASK) * 2 + 1).to(tl.float32) * _UNIFORM_STEP
    score = (ranked - greatest) * tl.load(inv_tau + row) + -_log(-_log(uniform))

    n_kept = tl.where(on, tl.minimum(tl.maximum(tl.load(k_keep + row), 0), k), k)
    n_pool = tl.minimum(tl.maximum(tl.load(r + row), k), n_experts)
    chosen = lane < n_kept
    left = tl.where((lane >= n_kept) & (lane < n_pool), (_ordinal(score) << 16) | (0xFFFF - lane), _LOWEST)
    for _ in range(n_kept, k):
        best = tl.max(left, axis=0)
        chosen = chosen | (left == best)
        left = tl.where(left == best, _LOWEST, left)

    # Read the chosen logits again, because ranking took a NaN for minus infinity.
    raw = tl.load(logits + expert, mask=chosen, other=float("-inf")).to(tl.float32)
    if renormalize:
        power = tl.where(chosen, tl.exp(raw - tl.max(tl.where(chosen, ranked, float("-inf")), axis=0)), 0.0)
        total = tl.sum(power, axis=0)
    else:
        power = tl.exp(raw - greatest)
        total = tl.sum(tl.where(real, tl.exp(g - greatest), 0.0), axis=0)
    slot = row * k + tl.cumsum(chosen.to(tl.int32), axis=0) - 1
    tl.store(weights + slot, power / total, mask=chosen)
    tl.store(ids + slot, expert.to(tl.int32), mask=chosen)


def launch_options(n_lanes: int) -> dict[str, int | bool]:
    """How the kernel is compiled for rows of so many lanes (a power of two, at least a warp)."""
    return {"num_warps": min(n_lanes // _WARP, _MAX_WARPS), "enable_fp_fusion": False}


def route(
    logits: torch.Tensor,
    rows: RowSettings,
    *,
    k: int,
    renormalize: bool,
    layer: int,
    out: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose and weigh the experts of T token rows with one kernel launch.

    Arguments and result are those of `reference.route`, all on one GPU; the ids are equal, the weights within
    rounding.
    """
    n_rows, n_experts = logits.shape
    if logits.stride(1) != 1:
        logits = logits.contiguous()
    weights, ids = out or (
        torch.empty((n_rows, k), dtype=torch.float32, device=logits.device),
        torch.empty((n_rows, k), dtype=torch.int32, device=logits.device),
    )
    if n_rows == 0:
        return weights, ids
    n_lanes = max(triton.next_power_of_2(n_experts), _WARP)
    _route_row[(n_rows,)](
        logits,
        *rows.tensors,
        weights,
        ids,
        logits.stride(0),
        layer,
        n_experts=n_experts,
        k=k,
        renormalize=renormalize,
        leave_others=out is not None,
        n_lanes=n_lanes,
        **launch_options(n_lanes),
    )
    return weights, ids
