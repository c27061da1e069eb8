"""Filling the step's rows in vLLM's second model runner (what GPUs use where Triton is at hand).

This runner leaves what differs between models to a `ModelState`, which hears of each request that comes and
goes and is asked for the model's inputs in every step, also in the dummy steps in which graphs are captured.
Whatever state class a model has, a subclass of it that also fills the rows is put in its place.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from generation.expert_sample.vllm.patching import replace
from generation.expert_sample.vllm.routing_request import RoutingRequest
from generation.expert_sample.vllm.step import STEP, drawn_rows


def install() -> None:
    """Hook the choice of a model's state class."""
    from vllm.v1.worker.gpu import model_states

    replace(model_states, "resolve_model_state_cls", _with_rows)


def _with_rows(original: Any) -> Any:
    def resolve_model_state_cls(vllm_config: Any, model: Any) -> Any:
        return with_rows(original(vllm_config, model))

    return resolve_model_state_cls


@functools.cache
def with_rows(state_cls: Any) -> Any:
    """Derive a state class that fills the step's rows from a model's own."""

    class ExpertSampleState(state_cls):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # By request id: dummy batches reuse the indices of real requests.
            self._routing: dict[str, tuple[RoutingRequest, int]] = {}
            super().__init__(*args, **kwargs)

        def add_request(self, req_index: int, new_req_data: Any) -> None:
            super().add_request(req_index, new_req_data)
            params = new_req_data.sampling_params
            routing = None if params is None else RoutingRequest.find(params.extra_args)
            if routing is not None:
                self._routing[new_req_data.req_id] = (routing, new_req_data.prompt_len)

        def remove_request(self, req_id: str) -> None:
            super().remove_request(req_id)
            self._routing.pop(req_id, None)

        def prepare_inputs(self, input_batch: Any, req_states: Any) -> Any:
            found = [self._routing.get(req_id, (None, 0)) for req_id in input_batch.req_ids]
            STEP.set(
                drawn_rows(
                    [routing for routing, _ in found],
                    n_prompt_tokens=[n_prompt for _, n_prompt in found],
                    first_positions=input_batch.num_computed_tokens_np.astype(np.int64),
                    n_tokens=input_batch.num_scheduled_tokens.astype(np.int64),
                )
            )
            return super().prepare_inputs(input_batch, req_states)

    ExpertSampleState.__name__ = f"ExpertSample{state_cls.__name__}"
    return ExpertSampleState
