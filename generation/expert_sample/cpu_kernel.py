"""The compiled inner loop of `cpu.route`: one function that routes all rows of a layer.

What makes it cheap: ranks are found by counting how many experts reach a bound (a pass over a row is a few
nanoseconds) instead of by sorting; noise is hashed only for the experts that can be drawn; loops are kept
apart so that each vectorises; splits write first and count after, so that there is no branch to mispredict.

What keeps it equal to the reference: ranks compare integers, and each floating-point step of a score is a
single IEEE operation (no fast-math, no fused multiply-add), in the order of `noise.natural_log`.

Names: `g` a row's logits, `ordinals` integers in the order of the logits, `pool` the experts that can be
drawn. Experts are numbered in unsigned integers, which index an array without a test for negative numbers.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from generation.expert_sample import fragility, noise

FLOAT32, BFLOAT16, FLOAT16 = 0, 1, 2
"""How the kernel is told the type of the logits."""

RENORMALIZE, LEAVE_OTHERS, AS_LOGITS = 1, 2, 4
"""Flags of the kernel's mode; `AS_LOGITS` returns logits and int64 ids in place of weights and int32 ids."""

_F32, _I32, _U32, _UINT = np.float32, np.int32, np.uint32, np.uintp
_ZERO, _HALF, _ONE, _TWO = _F32(0), _F32(0.5), _F32(1), _F32(2)
_NEG_INF = _F32(-np.inf)
_BLOCK = 32
_UNKNOWN_SIZE = 1 << 40
_HIGHEST_RANK, _LOWEST_RANK = np.iinfo(np.int64).max, np.iinfo(np.int64).min
_TAKEN = np.iinfo(np.int32).min  # below the ordinal of minus infinity

# Numba freezes a module's own globals into the compiled code, so the constants of the noise are copied here.
_GAMMA, _MIX_1, _MIX_2 = noise.GAMMA, noise.MIX_1, noise.MIX_2
_LAYER_STEP = noise.LAYER_STRIDE * noise.GAMMA % 2**64 - 2**64 * (noise.LAYER_STRIDE * noise.GAMMA % 2**64 >= 2**63)
_UNIFORM_SHIFT, _UNIFORM_MASK = 64 - noise.UNIFORM_BITS, (1 << noise.UNIFORM_BITS) - 1
_UNIFORM_STEP = _F32(noise.UNIFORM_STEP)
_SQRT_HALF_BITS = noise.SQRT_HALF_BITS
_LN2_HIGH, _LN2_LOW = _F32(noise.LN2_HIGH), _F32(noise.LN2_LOW)
_LOG_1, _LOG_2, _LOG_3, _LOG_4 = _F32(1 / 9), _F32(1 / 7), _F32(1 / 5), _F32(1 / 3)
_EXP_7, _EXP_6, _EXP_5, _EXP_4, _EXP_3 = (
    _F32(1 / 5040),
    _F32(1 / 720),
    _F32(1 / 120),
    _F32(1 / 24),
    _F32(1 / 6),
)
_LOG2_E, _LOWEST_EXPONENT = _F32(fragility.LOG2_E), _F32(fragility.LOWEST_EXPONENT)
_POWER_UNITS, _THRESHOLD_BITS = _F32(fragility.POWER_UNITS), fragility.THRESHOLD_BITS

# Passes that place the bound by linear interpolation before bisecting, and how close to an end they may
# place it: about five passes split a smooth row, where bisecting alone takes twelve.
_INTERPOLATIONS = 8
_LEAST_PART = _F32(0.1)


def _bitcast(result: Any, expected: Any) -> Any:
    """Make an intrinsic that reads 32 bits as another type."""

    @intrinsic
    def cast(typingctx: Any, value: Any) -> Any:
        if value != expected:
            return None

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(result))

        return result(expected), generate

    return cast


_bits_of = _bitcast(types.int32, types.float32)
_float_of = _bitcast(types.float32, types.int32)


@intrinsic
def _pointer(typingctx: Any, address: Any, dtype: Any) -> Any:
    """Read an integer as a pointer: to unpack integers is far cheaper for a call than to unpack arrays."""
    result = types.CPointer(dtype.dtype)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(result))

    return result(address, dtype), generate


_inline = numba.njit(inline="always", error_model="numpy")
_jit = numba.njit(error_model="numpy")


@_inline
def _mix(x: Any) -> Any:
    """`noise.mix` on an int64."""
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * _MIX_1
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * _MIX_2
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


@_inline
def _log(x: Any) -> Any:
    """`noise.natural_log` on a float32."""
    bits = _bits_of(x)
    exponent = _I32(_I32(bits - _I32(_SQRT_HALF_BITS)) >> _I32(23))
    mantissa = _float_of(_I32(bits - _I32(exponent << _I32(23))))
    e = _F32(exponent)
    s = (mantissa - _ONE) / (mantissa + _ONE)
    z = s * s
    series = ((z * _LOG_1 + _LOG_2) * z + _LOG_3) * z + _LOG_4
    return e * _LN2_HIGH + (e * _LN2_LOW + (_TWO * s + _TWO * s * (z * series)))


@_inline
def _exp(x: Any) -> Any:
    """`fragility.exponential` on a float32, where NaN stays NaN."""
    clipped = x if x > _LOWEST_EXPONENT else _LOWEST_EXPONENT
    n = np.floor(clipped * _LOG2_E + _HALF)
    f = (clipped - n * _LN2_HIGH) - n * _LN2_LOW
    series = ((((_EXP_7 * f + _EXP_6) * f + _EXP_5) * f + _EXP_4) * f + _EXP_3) * f + _HALF
    power = _float_of(_I32(_I32(_I32(n) + _I32(127)) << _I32(23)))
    value = (series * f * f + f + _ONE) * power
    return value if x >= _LOWEST_EXPONENT else (_ZERO if x < _LOWEST_EXPONENT else x)


@_inline
def _ordinal(x: Any) -> Any:
    """Map a float32 to an integer of the same order: -0 as 0, NaN as minus infinity."""
    bits = _bits_of((x if x == x else _NEG_INF) + _ZERO)
    return _I32(bits ^ _I32(_I32(bits >> _I32(31)) & _I32(0x7FFFFFFF)))


@_inline
def _float_at(ordinal: Any, zero_bits: Any) -> Any:
    """A float whose ordinal, without its lowest bits, is the given one."""
    wide = _I32(ordinal << zero_bits)
    return _float_of(_I32(wide ^ _I32(_I32(wide >> _I32(31)) & _I32(0x7FFFFFFF))))


@_inline
def _outranks(ordinals: Any, one: Any, other: Any) -> Any:
    """Whether an expert has the higher rank: the greater logit, then the lower number."""
    return ordinals[one] > ordinals[other] or (ordinals[one] == ordinals[other] and one < other)


@_jit
def _read(wide: Any, half: Any, kind: Any, g: Any) -> None:
    """Read a row of logits as float32."""
    if kind == FLOAT32:
        for i in range(g.size):
            g[i] = wide[i]
    elif kind == BFLOAT16:
        for i in range(g.size):
            g[i] = _float_of(_I32(_I32(half[i]) << _I32(16)))
    else:
        for i in range(g.size):
            bits = _I32(half[i])
            # The exponents' biases differ by 112; infinity and NaN need the full exponent.
            value = _float_of(_I32((bits & 0x7FFF) << 13)) * _F32(2.0**112)
            if (bits & 0x7C00) == 0x7C00:
                value = _float_of(_I32(_bits_of(value) | 0x7F800000))
            g[i] = -value if bits < 0 else value


@_jit
def _bound(ordinals: Any, n: Any, count: Any, zero_bits: Any) -> Any:
    """Find t and m: the `count` greatest of n ordinals are those above t and m of those that equal it.

    At least `count` ordinals reach `low` and fewer reach `high`; the search ends when they are neighbours,
    or as soon as a bound is met that exactly `count` ordinals reach.
    """
    least, greatest = ordinals[0], ordinals[0]
    for i in range(n):
        least = min(least, ordinals[i])
        greatest = max(greatest, ordinals[i])
    low, high, n_low, n_high = np.int64(least), np.int64(greatest) + 1, np.int64(n), np.int64(0)
    step = 0
    while high - low > 1:
        middle = (low + high) >> 1
        if step < _INTERPOLATIONS:
            part = _F32(n_low - count) / _F32(n_low - n_high)
            bottom, top = _float_at(low, zero_bits), _float_at(high, zero_bits)
            guess = bottom + (top - bottom) * min(max(part, _LEAST_PART), _ONE - _LEAST_PART)
            if guess == guess:
                middle = min(max(np.int64(_ordinal(guess) >> zero_bits), low + 1), high - 1)
        bound, reached = _I32(middle), _I32(0)
        for i in range(n):
            reached = _I32(reached + _I32(ordinals[i] >= bound))
        if reached == count:
            return _I32(middle - 1), np.int64(0)
        if reached > count:
            low, n_low = middle, np.int64(reached)
        else:
            high, n_high = middle, np.int64(reached)
        step += 1
    return _I32(low), count - n_high


@_jit
def _last_equal(ordinals: Any, bound: Any, n_equal: Any) -> Any:
    """Index of the n-th ordinal that equals the bound, -1 for none of them."""
    i = _I32(-1)
    while n_equal > 0:
        i += _I32(1)
        if ordinals[_UINT(i)] == bound:
            n_equal -= 1
    return i


@_inline
def _padded(n: Any) -> Any:
    """Round up to whole blocks, because a vectorised loop does its last, partial block one by one."""
    return (n + _BLOCK - 1) & -_BLOCK


@_jit
def _take(ordinals: Any, n: Any, count: Any, zero_bits: Any, taken: Any) -> None:
    """Write the `count` of n experts with the highest rank to `taken`, in the order of their numbers."""
    bound, n_equal = _bound(ordinals, n, count, zero_bits)
    last_equal = _last_equal(ordinals, bound, n_equal)
    n_taken = _UINT(0)
    for i in range(n):
        taken[n_taken] = i
        n_taken = _UINT(n_taken + _UINT(ordinals[i] >= _I32(bound + _I32(i > last_equal))))


@_jit
def _is_fragile(g: Any, taken: Any, k: Any, threshold: Any, powers: Any) -> Any:
    """`fragility.fragile` for one row, whose k best experts are `taken`."""
    greatest, total, best = _greatest(g), np.int64(0), np.int64(0)
    for i in range(g.size):
        difference = (g[i] if g[i] == g[i] else _NEG_INF) - greatest
        powers[i] = _I32(_exp(difference if difference == difference else _ZERO) * _POWER_UNITS)
        total += powers[i]
    for j in range(k):
        best += powers[taken[j]]
    return ((total - best) << _THRESHOLD_BITS) >= threshold * total


@_jit
def _split(ordinals: Any, candidates: Any, n: Any, n_kept: Any, ranks: Any, chosen: Any, pool: Any) -> None:
    """Split n candidates into the head, in the order of rank, and the pool of the others."""
    for i in range(n):
        ranks[i] = (np.int64(ordinals[candidates[i]]) << 16) | (0xFFFF - np.int64(candidates[i]))
    for i in range(n, _padded(n)):
        ranks[i] = _LOWEST_RANK
    previous = _HIGHEST_RANK
    for j in range(n_kept):
        best = _LOWEST_RANK
        for i in range(_padded(n)):
            best = max(best, ranks[i] if ranks[i] < previous else _LOWEST_RANK)
        chosen[j] = 0xFFFF - (best & 0xFFFF)
        previous = best
    n_pool = _UINT(0)
    for i in range(n):
        pool[n_pool] = candidates[i]
        n_pool = _UINT(n_pool + _UINT(ranks[i] < previous))


@_jit
def _draw(
    g: Any,
    ordinals: Any,
    pool: Any,
    n: Any,
    stream: Any,
    inv_tau: Any,
    shift: Any,
    work: Any,
    scores: Any,
    tail: Any,
) -> None:
    """Gumbel-top-k: fill `tail` with the experts of the pool that have the greatest noisy scores."""
    for i in range(n):
        word = _mix(stream + (np.int64(pool[i]) + 1) * _GAMMA)
        scores[i] = _I32(((word >> _UNIFORM_SHIFT) & _UNIFORM_MASK) * 2 + 1)
        work[i] = g[pool[i]]
    for i in range(_padded(n)):
        uniform = _F32(scores[i]) * _UNIFORM_STEP
        score = (work[i] - shift) * inv_tau + -_log(-_log(uniform))
        scores[i] = _ordinal(score)
    for j in range(tail.size):
        greatest = scores[0]
        for i in range(n):
            greatest = max(greatest, scores[i])
        best = _UINT(n)
        for i in range(n):
            if scores[i] == greatest and (best == _UINT(n) or _outranks(ordinals, pool[i], pool[best])):
                best = _UINT(i)
        tail[j] = pool[best]
        scores[best] = _TAKEN


@_jit
def _sort(ordinals: Any, chosen: Any, k: Any) -> None:
    """Put the k chosen experts in the order of rank."""
    for j in range(1, k):
        expert, i = chosen[j], j
        while i > 0 and _outranks(ordinals, expert, chosen[i - 1]):
            chosen[i] = chosen[i - 1]
            i -= 1
        chosen[i] = expert


@_jit
def _greatest(g: Any) -> Any:
    """The greatest number of an array; NaN is never greater."""
    greatest = _NEG_INF
    for i in range(g.size):
        greatest = g[i] if g[i] > greatest else greatest
    return greatest


@_jit
def _greatest_of(g: Any, experts: Any, n: Any) -> Any:
    """The greatest logit of n experts; NaN is never greater."""
    greatest = _NEG_INF
    for i in range(n):
        greatest = g[experts[i]] if g[experts[i]] > greatest else greatest
    return greatest


@_jit
def _weigh(g: Any, chosen: Any, renormalize: Any, work: Any, weights: Any) -> None:
    """Softmax over the chosen experts, or over all of them."""
    k = weights.size
    for j in range(k):
        weights[j] = g[chosen[j]]
    greatest = _greatest(weights if renormalize else g)
    for j in range(k):
        weights[j] = _exp(weights[j] - greatest)
    if renormalize:
        total = 0.0  # in double precision: k is small, and the order of the terms does not matter then
        for j in range(k):
            total += weights[j]
    else:
        total = np.float64(_sum_of_powers(g, greatest, work))
    for j in range(k):
        weights[j] /= _F32(total)


@_jit
def _sum_of_powers(g: Any, greatest: Any, work: Any) -> Any:
    """Sum exp(g - greatest) over all experts by halves, which vectorises and keeps rounding small."""
    width = g.size
    for i in range(width):
        work[i] = _exp(g[i] - greatest)
    while width > 1:
        half = (width + 1) >> 1
        for i in range(width - half):
            work[i] += work[i + half]
        width = half
    return work[0]


@_inline
def _array(address: Any, dtype: Any) -> Any:
    """The values from an address on; how many there are is the caller's knowledge."""
    return numba.carray(_pointer(address, dtype), (_UNKNOWN_SIZE,))


def _route_rows(
    logits: Any,
    kind: Any,
    zero_bits: Any,
    n_rows: Any,
    n_tokens: Any,
    n_experts: Any,
    row_stride: Any,
    k: Any,
    mode: Any,
    layer: Any,
    numbers: Any,
    keys: Any,
    enabled: Any,
    k_keep: Any,
    r: Any,
    inv_tau: Any,
    fragile_from: Any,
    values: Any,
    ids: Any,
) -> Any:
    """Route rows; tensors are given by the addresses of their data, those of `RowSettings` in its order.

    The i-th row's settings stand at i; its logits and its result at `numbers[i]`, or at i where the address of the
    numbers is 0. Rows that are not enabled, or not fragile, are left alone in the mode that writes into a result which
    is already there.
    Returns how many of the numbers are no row of the `n_tokens`; those are passed over.
    """
    wide, half, doubled = _array(logits, types.float32), _array(logits, types.int16), _array(ids, types.int64)
    numbers_of, keys_of, enabled_of = (
        _array(numbers, types.int64),
        _array(keys, types.int64),
        _array(enabled, types.uint8),
    )
    k_keep_of, r_of, inv_tau_of, fragile_from_of = (
        _array(k_keep, types.int32),
        _array(r, types.int32),
        _array(inv_tau, types.float32),
        _array(fragile_from, types.int32),
    )
    wide_values, half_values = _array(values, types.float32), _array(values, types.int16)
    ids_of = _array(ids, types.int32)

    zero_bits = _I32(zero_bits)
    # Room for a padded row and for the one write past the end with which a compaction stops.
    room = n_experts + _BLOCK
    g, ordinals = np.empty(n_experts, np.float32), np.empty(n_experts, np.int32)
    work, scores, ranks = np.empty(room, np.float32), np.ones(room, np.int32), np.empty(room, np.int64)
    candidates, pool, chosen = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.uint32)

    n_astray = 0
    for i in range(n_rows):
        on = enabled_of[i] != 0
        if not on and mode & LEAVE_OTHERS:
            continue
        row = numbers_of[i] if numbers != 0 else i
        if not 0 <= row < n_tokens:
            n_astray += 1
            continue
        logits_at, result_at = row * row_stride, row * k
        _read(wide[logits_at:], half[logits_at:], kind, g)
        for e in range(n_experts):
            ordinals[e] = _ordinal(g[e]) >> zero_bits
        n_kept = min(max(np.int64(k_keep_of[i]), 0), k) if on else k
        threshold = np.int64(fragile_from_of[i]) if on else np.int64(0)
        if n_kept == k or threshold > 0:
            _take(ordinals, n_experts, k, zero_bits, chosen)
            if threshold > 0 and not _is_fragile(g, chosen, k, threshold, scores):
                if mode & LEAVE_OTHERS:
                    continue
                n_kept = np.int64(k)
        if n_kept < k:
            n = min(max(np.int64(r_of[i]), k), n_experts)
            _take(ordinals, n_experts, n, zero_bits, candidates)
            _split(ordinals, candidates, n, n_kept, ranks, chosen, pool)
            shift = _greatest_of(g, candidates, n)
            stream = keys_of[i] + layer * _LAYER_STEP
            tail = chosen[n_kept:k]
            _draw(g, ordinals, pool, n - n_kept, stream, inv_tau_of[i], shift, work, scores, tail)
        _sort(ordinals, chosen, k)
        if not mode & AS_LOGITS:
            _weigh(g, chosen, mode & RENORMALIZE, work, wide_values[result_at : result_at + k])
            for j in range(k):
                ids_of[result_at + j] = chosen[j]
            continue
        for j in range(k):
            doubled[result_at + j] = chosen[j]
            if kind == FLOAT32:
                wide_values[result_at + j] = wide[logits_at + chosen[j]]
            else:
                half_values[result_at + j] = half[logits_at + chosen[j]]
    return n_astray


def compiled() -> Callable[..., int]:
    """Compile `_route_rows`, or load it from numba's cache where one can be written."""
    signature = types.int64(*[types.int64] * _route_rows.__code__.co_argcount)
    jit = functools.partial(numba.njit, [signature], error_model="numpy", nogil=True)
    try:
        return cast("Callable[..., int]", jit(cache=True)(_route_rows))
    except RuntimeError as error:
        if "no locator available" not in str(error):  # what numba says where it can write no cache
            raise
        return cast("Callable[..., int]", jit()(_route_rows))
