"""One `route` for the router of a serving engine, whatever device it runs on.

A device without its fast path is refused instead of served by the reference: on a GPU its some fifteen
launches a layer would slow every decode step down without a word.
"""

from __future__ import annotations

import functools
from types import ModuleType

import torch

from generation.expert_sample.rows import RowSettings


def route(
    logits: torch.Tensor,
    rows: RowSettings,
    *,
    k: int,
    renormalize: bool,
    layer: int,
    out: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose and weigh the experts of T token rows, by the fast path of the logits' device.

    Arguments and result are those of `reference.route`. With `out` given, nothing is allocated.

    Raises:
        RuntimeError: the device has no fast path here; the message says what is missing.
    """
    path = _cpu_path() if logits.is_cpu else _gpu_path(logits.device.type)
    result: tuple[torch.Tensor, torch.Tensor] = path.route(
        logits, rows, k=k, renormalize=renormalize, layer=layer, out=out
    )
    return result


def warm_up(device: torch.device, *, k: int, n_experts: int, dtype: torch.dtype) -> None:
    """Compile the fast path of a device by routing one row, so that no request has to wait for it.

    Args:
        device: where the model runs.
        k: number of active experts.
        n_experts: number of routed experts a layer.
        dtype: type of the router logits.

    Raises:
        RuntimeError: the device has no fast path here; the message says what is missing.
    """
    logits = torch.zeros((1, n_experts), dtype=dtype, device=device)
    rows = RowSettings.alike(torch.zeros(1, dtype=torch.int64, device=device), k_keep=0, r=n_experts)
    for renormalize in (False, True):
        route(logits, rows, k=k, renormalize=renormalize, layer=0)


@functools.cache
def _cpu_path() -> ModuleType:
    try:
        import numba  # noqa: F401
    except ImportError as error:
        raise RuntimeError(
            f"Expert-Sample on the CPU needs numba (it comes with vLLM), which cannot be imported: {error}."
        ) from error
    from generation.expert_sample import cpu

    return cpu


@functools.cache
def _gpu_path(device_type: str) -> ModuleType:
    if device_type != "cuda":
        raise RuntimeError(f"Expert-Sample runs on CPUs and on CUDA or ROCm GPUs, not on {device_type!r}.")
    try:
        from generation.expert_sample import triton_kernel
    except ImportError as error:
        raise RuntimeError(
            f"Expert-Sample on a GPU needs Triton, and it cannot be imported: {error}. "
            "Install the triton that belongs to your torch, or leave Expert-Sample off."
        ) from error
    return triton_kernel
