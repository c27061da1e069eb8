"""The rows that the current step draws experts for, filled once a step and read by every layer.

A layer's router sees logits and nothing else: which request a row belongs to is known only where the batch is
put together. There, once a step, each request's numbers become per-row tensors; the routers only read them,
so that the routing itself never waits for the host.

On a GPU the tensors are one static allocation that covers the whole batch, because a captured CUDA graph
keeps reading the addresses it was captured with. On the CPU nothing is captured, and only the drawn rows are
kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from generation.expert_sample.fragility import threshold
from generation.expert_sample.noise import output, sample_keys
from generation.expert_sample.rows import DrawnRows, RowSettings
from generation.expert_sample.vllm.routing_request import RoutingRequest

IntArray = npt.NDArray[np.int64]


def drawn_rows(
    requests: Sequence[RoutingRequest | None],
    *,
    n_prompt_tokens: Sequence[int],
    first_positions: IntArray,
    n_tokens: IntArray,
) -> DrawnRows | None:
    """Find the rows of a batch that Expert-Sample draws for.

    Args:
        requests: one a request of the batch, in the order of its rows; None where Expert-Sample is off.
        n_prompt_tokens: length of each request's prompt.
        first_positions: position of each request's first token in this step.
        n_tokens: number of tokens (rows) of each request in this step.

    Returns:
        The drawn rows, or None where no row is drawn.
    """
    table = _TABLES.of(requests, n_prompt_tokens)
    if table is None:
        return None
    first, count = first_positions[table.on], n_tokens[table.on]
    skipped = np.minimum(np.maximum(table.starts - first, 0), count)  # prompt tokens before the start
    drawn = count - skipped
    total = int(drawn.sum())
    if total == 0:
        return None
    owner = np.repeat(np.arange(len(drawn)), drawn)
    offset = np.arange(total) - np.repeat(np.cumsum(drawn) - drawn, drawn) + skipped[owner]
    numbers = (np.cumsum(n_tokens)[table.on] - count)[owner] + offset
    keys = output(table.keys[owner], first[owner] + offset)  # the hash runs on arrays as it does on tensors
    settings = RowSettings(
        keys=torch.from_numpy(keys),
        enabled=torch.ones(total, dtype=torch.bool),
        k_keep=torch.from_numpy(table.k_keep[owner]),
        r=torch.from_numpy(table.r[owner]),
        inv_tau=torch.from_numpy(table.inv_tau[owner]),
        fragile_from=torch.from_numpy(table.fragile_from[owner]),
    )
    return DrawnRows(torch.from_numpy(numbers), settings)


@dataclass(frozen=True)
class _RequestTable:
    """Numbers of a batch's requests that stay the same from step to step, one entry a request that is drawn."""

    on: IntArray
    starts: IntArray
    keys: IntArray
    k_keep: npt.NDArray[np.int32]
    r: npt.NDArray[np.int32]
    inv_tau: npt.NDArray[np.float32]
    fragile_from: npt.NDArray[np.int32]

    @classmethod
    def make(cls, requests: Sequence[RoutingRequest | None], n_prompt_tokens: Sequence[int]) -> _RequestTable | None:
        numbered = [(number, request) for number, request in enumerate(requests) if request is not None]
        if not numbered:
            return None
        active = [request for _, request in numbered]
        seeds, samples = (
            torch.tensor([getattr(request, name) for request in active], dtype=torch.int64)
            for name in ("seed", "sample_index")
        )
        return cls(
            on=np.array([number for number, _ in numbered], dtype=np.int64),
            starts=np.array([q.start(n_prompt_tokens[number]) for number, q in numbered], dtype=np.int64),
            keys=sample_keys(seeds, samples).numpy(),
            k_keep=np.array([request.k_keep for request in active], dtype=np.int32),
            r=np.array([request.r for request in active], dtype=np.int32),
            inv_tau=np.array([1 / request.tau for request in active], dtype=np.float32),
            fragile_from=np.array([threshold(request.fragile_from) for request in active], dtype=np.int32),
        )


class _Tables:
    """The last batch's table: a decode step has the requests of the step before."""

    def __init__(self) -> None:
        self._asked: tuple[list[RoutingRequest | None], list[int]] = ([], [])
        self._table: _RequestTable | None = None

    def of(self, requests: Sequence[RoutingRequest | None], n_prompt_tokens: Sequence[int]) -> _RequestTable | None:
        asked = (list(requests), list(n_prompt_tokens))
        if asked != self._asked:
            self._asked, self._table = asked, _RequestTable.make(requests, n_prompt_tokens)
        return self._table


_TABLES = _Tables()


class Step:
    """The current step of this process's engine.

    Attributes:
        drawn: the drawn rows on the host, None where no row is drawn. What CPU routers read.
        static: the whole batch's rows on the device, None on the CPU. What GPU routers read.
    """

    def __init__(self) -> None:
        self.drawn: DrawnRows | None = None
        self.static: RowSettings | None = None

    def reserve(self, capacity: int, device: torch.device) -> None:
        """Allocate the static rows, before any graph that reads them is captured.

        Raises:
            RuntimeError: a second engine in this process needs more rows than graphs have been captured with.
        """
        if device.type == "cpu":
            return
        if self.static is not None and self.static.n < capacity:
            raise RuntimeError(
                "Expert-Sample serves one engine a process on a GPU: the second engine's batches are larger. "
                "Start it in a process of its own."
            )
        if self.static is None:
            self.static = RowSettings.off(capacity, device)

    def set(self, drawn: DrawnRows | None) -> None:
        """Take over the rows of the step that is about to run."""
        if self.static is not None and not (drawn is None and self.drawn is None):
            self.static.enabled.zero_()  # rows of the step before, and the padding of captured graphs
            if drawn is not None:
                self.static.overwrite(drawn)
        self.drawn = drawn


STEP = Step()
"""This process's step. One: a process runs the forward passes of one engine at a time."""
