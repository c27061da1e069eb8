"""Filling the step's rows in vLLM's first model runner (what runs on the CPU).

`_prepare_inputs` is where the runner itself turns its requests into rows, so that the order of rows, chunks
of prompts and positions after a preemption are the runner's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from generation.expert_sample.vllm.patching import replace
from generation.expert_sample.vllm.routing_request import RoutingRequest
from generation.expert_sample.vllm.step import STEP, drawn_rows

_ON_STATE = "_expert_sample_routing"


def install() -> None:
    """Hook the runner's real steps and its dummy ones."""
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner

    replace(GPUModelRunner, "_prepare_inputs", _with_rows)
    replace(GPUModelRunner, "_dummy_run", _without_rows)


def _with_rows(original: Any) -> Any:
    def _prepare_inputs(self: Any, scheduler_output: Any, num_scheduled_tokens: Any) -> Any:
        batch = self.input_batch
        states = [self.requests[req_id] for req_id in batch.req_ids]
        STEP.set(
            drawn_rows(
                [_routing(state) for state in states],
                n_prompt_tokens=[state.num_prompt_tokens for state in states],
                first_positions=batch.num_computed_tokens_cpu[: len(states)].astype(np.int64),
                n_tokens=np.asarray(num_scheduled_tokens, dtype=np.int64),
            )
        )
        return original(self, scheduler_output, num_scheduled_tokens)

    return _prepare_inputs


def _without_rows(original: Any) -> Any:
    def _dummy_run(self: Any, *args: Any, **kwargs: Any) -> Any:
        STEP.set(None)
        return original(self, *args, **kwargs)

    return _dummy_run


def _routing(state: Any) -> RoutingRequest | None:
    """Read a request's routing, once: the runner keeps the state as long as the request runs."""
    if not hasattr(state, _ON_STATE):
        params = state.sampling_params
        setattr(state, _ON_STATE, None if params is None else RoutingRequest.find(params.extra_args))
    routing: RoutingRequest | None = getattr(state, _ON_STATE)
    return routing
