"""Expert-Sample on the CPU: the reference's choice at the price of the top k that it replaces.

A decode step routes a few dozen rows in each of some fifty layers, so what counts is the cost of a call and
of a row, not of a matrix: every torch operator costs microseconds, and the reference is some twenty of
them. Here one compiled function does the whole layer (`cpu_kernel`). Numba compiles it: vLLM brings it
along, and this package needs no native build. Numba keeps the compiled code beside the source or in the
user's cache folder (`NUMBA_CACHE_DIR` moves it), so that only the first start on a machine waits some ten
seconds for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from generation.expert_sample.rows import DrawnRows, RowSettings, check_tensor

# The kernel's code of a type, and how many of a float32's lowest bits are zero when widened from it.
_KINDS = {torch.float32: (0, 0), torch.bfloat16: (1, 16), torch.float16: (2, 13)}
_RENORMALIZE, _LEAVE_OTHERS, _AS_LOGITS = 1, 2, 4  # the kernel's modes, which is imported on first use
_MAX_EXPERTS = 1 << 16


@functools.cache
def warm_up() -> Callable[..., int]:
    """Load or compile the routing function, so that no request has to wait for it.

    Returns:
        The compiled function.
    """
    from generation.expert_sample import cpu_kernel

    return cpu_kernel.compiled()


def top_k(logits: torch.Tensor, drawn: DrawnRows, *, k: int, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose experts in the place and in the form of `torch.topk`: as `route` for the rows that are drawn.

    For a router that derives the weights itself from the chosen logits, as vLLM's does on the CPU. The
    logits are copied, so that they are the same bits.

    Args:
        logits: (T, E) router logits, bfloat16, float16 or float32.
        drawn: the rows to draw, on the CPU; the others get what `torch.topk(logits, k, sorted=False)` gives them.
        k: number of active experts, 1..E.
        layer: index of the layer.

    Returns:
        The chosen experts' logits (T, k) and ids (T, k) int64; drawn rows are in the order of rank.

    Raises:
        ValueError: logits of the wrong type or layout, or a drawn row that is not among them.
    """
    n_tokens = logits.shape[0]
    n_drawn = drawn.settings.n
    if n_drawn == n_tokens:
        # In this form an allocation takes half the time of `torch.empty(shape, dtype=...)`.
        values, ids = logits.new_empty(n_tokens, k), drawn.numbers.new_empty(n_tokens, k)
    else:
        values, ids = torch.topk(logits, k, dim=-1, sorted=False)
    n_astray = _launch(logits, n_drawn, k, _AS_LOGITS, layer, drawn.addresses, values, ids)
    if n_astray:
        raise ValueError(f"{n_astray} of the rows to draw are outside 0..{n_tokens - 1}.")
    return values, ids


def route(
    logits: torch.Tensor,
    rows: RowSettings,
    *,
    k: int,
    renormalize: bool,
    layer: int,
    out: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose and weigh the experts of T token rows on the CPU.

    Arguments and result are those of `reference.route`; the ids are equal, the weights within rounding.

    Raises:
        ValueError: a tensor of the wrong type, size or layout.
    """
    n_rows = logits.shape[0]
    if rows.n < n_rows:
        raise ValueError(f"There are {n_rows} rows of logits and settings for {rows.n}; each row needs its own.")
    if out is None:
        out, mode = (rows.inv_tau.new_empty(n_rows, k), rows.r.new_empty(n_rows, k)), 0
    else:
        check_tensor(out[0], torch.float32, (n_rows, k), logits.device)
        check_tensor(out[1], torch.int32, (n_rows, k), logits.device)
        mode = _LEAVE_OTHERS
    mode |= _RENORMALIZE if renormalize else 0
    _launch(logits, n_rows, k, mode, layer, (0, *rows.addresses), *out)
    return out


def _launch(
    logits: torch.Tensor,
    n_rows: int,
    k: int,
    mode: int,
    layer: int,
    addresses: tuple[int, ...],
    values: torch.Tensor,
    ids: torch.Tensor,
) -> int:
    """Check the logits and call the kernel, which sees addresses only: the number of rows out of range."""
    n_tokens, n_experts = logits.shape
    row_stride, column_stride = logits.stride()
    dtype = logits.dtype
    if dtype not in _KINDS or not logits.is_cpu or (column_stride != 1 and n_experts > 1):
        raise ValueError(
            f"The logits are {dtype} with strides {logits.stride()} on {logits.device}; "
            "they must be float32, bfloat16 or float16, each row contiguous, on the CPU."
        )
    if not 1 <= k <= n_experts <= _MAX_EXPERTS:
        raise ValueError(f"k={k} of {n_experts} experts; it must be 1 <= k <= experts <= {_MAX_EXPERTS}.")
    kind, zero_bits = _KINDS[dtype]
    return warm_up()(
        logits.data_ptr(),
        kind,
        zero_bits,
        n_rows,
        n_tokens,
        n_experts,
        row_stride,
        k,
        mode,
        layer,
        *addresses,
        values.data_ptr(),
        ids.data_ptr(),
    )
