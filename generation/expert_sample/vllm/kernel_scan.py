"""Starting another engine in a process that has numba loaded.

On the CPU, vLLM's worker looks through every object of every loaded module for Triton kernels to replace. One object
that comes with numba (llvmlite's handle of its library) answers to any name with a function of that library, and
stops the scan with an error. vLLM has numba but loads it late, so that it meets this only in the second engine of a
process. The CPU routing is compiled by numba, and would make every second engine fail.
"""

from __future__ import annotations

import sys
from typing import Any

from generation.expert_sample.vllm.patching import replace

MODULE = "llvmlite.binding.ffi"
"""The only module that holds the handle; it has no Triton kernel."""


def install() -> None:
    """Keep the scan away from the module."""
    from vllm.triton_utils import dispatcher

    replace(dispatcher, "_rebind_kernels", _without_module)


def _without_module(original: Any) -> Any:
    def _rebind_kernels(overrides: Any) -> None:
        hidden = sys.modules.pop(MODULE, None)
        try:
            original(overrides)
        finally:
            if hidden is not None:
                sys.modules[MODULE] = hidden

    return _rebind_kernels
