"""Route by the Triton kernel in Triton's interpreter and save the result: `python -m ... cases.pt result.pt`.

A process of its own, because Triton decides at import whether it interprets. In the interpreter a sort
takes a second a row, so NumPy's stands in for it, except where a case asks for Triton's own.
"""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import torch
import triton.language as tl
from triton.runtime.interpreter import TensorHandle

from generation.expert_sample import triton_kernel
from generation.expert_sample.rows import RowSettings


def numpy_sort(keys: Any) -> Any:
    """Do what `triton_kernel._sort` does."""
    data = np.sort(keys.handle.data)[::-1].copy()
    return tl.core.tensor(TensorHandle(data, keys.handle.dtype), keys.type)


def main(source: str, target: str) -> None:
    """Route the cases of one file into another."""
    own_sort = triton_kernel._sort
    results = []
    for case in torch.load(source):
        triton_kernel._sort = own_sort if case.pop("own_sort") else numpy_sort
        results.append(triton_kernel.route(rows=RowSettings(*case.pop("rows")), **case))
    torch.save(results, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
