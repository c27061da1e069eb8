"""Which rows of a step's batch yield a token: the last of each request whose prompt is whole.

A layer's router sees rows, and the model's head one row a request, but neither sees whose they are. That is known
where the batch is put together, in either of vLLM's model runners. A prompt that is read in pieces has a row whose
token is thrown away, and so has a request that is computed again after a preemption: these are left out, so that each
token of a response counts once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from generation.expert_use.wrapping import Method, Wrappings


class SampledRows:
    """The current step's, kept up to date by the runner.

    Attributes:
        rows: (S,) int64 on the device, numbers of the rows in the batch.
        requests: (S,) int64 on the device, numbers of the requests that these belong to: rows of the step's logits.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.clear()

    def clear(self) -> None:
        """No row is sampled."""
        self.set(np.empty(0, np.int64), np.empty(0, np.bool_))

    def set(self, n_tokens: NDArray[np.integer[Any]], is_sampled: NDArray[np.bool_]) -> None:
        """Take over a step's requests.

        Args:
            n_tokens: (R,) rows of each request in this step, in the order of the batch.
            is_sampled: (R,) whether its last row yields a token.
        """
        last = np.cumsum(n_tokens, dtype=np.int64) - 1
        self.rows = self._moved(last[is_sampled])
        self.requests = self._moved(np.flatnonzero(is_sampled).astype(np.int64))

    def follow(self, runner: Any, wrappings: Wrappings) -> None:
        """Hear of each step from a model runner of vLLM."""
        if hasattr(runner, "discard_request_mask"):
            wrappings.wrap(runner, "_prepare_inputs", lambda original: self._told_by_v1(runner, original))
            wrappings.wrap(runner, "_dummy_run", self._cleared)
        else:
            wrappings.wrap(runner.model_state, "prepare_inputs", self._told_by_v2)

    def _told_by_v1(self, runner: Any, original: Method) -> Method:
        def _prepare_inputs(scheduler_output: Any, num_scheduled_tokens: Any) -> Any:
            result = original(scheduler_output, num_scheduled_tokens)
            n_tokens = np.asarray(num_scheduled_tokens)
            self.set(n_tokens, ~runner.discard_request_mask.np[: len(n_tokens)].astype(np.bool_))
            return result

        return _prepare_inputs

    def _cleared(self, original: Method) -> Method:
        def _dummy_run(*args: Any, **kwargs: Any) -> Any:
            self.clear()
            return original(*args, **kwargs)

        return _dummy_run

    def _told_by_v2(self, original: Method) -> Method:
        def prepare_inputs(input_batch: Any, req_states: Any) -> Any:
            n_tokens = input_batch.num_scheduled_tokens
            is_whole = input_batch.num_computed_tokens_np + n_tokens >= input_batch.prefill_len_np
            is_real = np.array([request in req_states.req_id_to_index for request in input_batch.req_ids], np.bool_)
            self.set(n_tokens, is_whole & is_real)
            return original(input_batch, req_states)

        return prepare_inputs

    def _moved(self, numbers: NDArray[np.int64]) -> torch.Tensor:
        """To the device, without waiting for it."""
        found = torch.from_numpy(numbers)
        return (found.pin_memory() if self._device.type == "cuda" else found).to(self._device, non_blocking=True)
