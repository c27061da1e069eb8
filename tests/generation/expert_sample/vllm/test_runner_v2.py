"""The second model runner's hook, on vLLM's own interfaces as far as they go without a GPU.

The runner itself needs a GPU (`test_gpu.py` runs it there). What it calls does not: the choice of the model's state
class, the state's methods, and the batches that it hands over.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm")

import torch
from vllm.sampling_params import SamplingParams
from vllm.v1.core.sched.output import NewRequestData
from vllm.v1.worker.gpu import model_states
from vllm.v1.worker.gpu.input_batch import InputBatch, InputBuffers
from vllm.v1.worker.gpu.model_states.interface import ModelState

from generation.expert_sample.vllm import runner_v2
from generation.expert_sample.vllm.routing_request import RoutingRequest
from generation.expert_sample.vllm.step import STEP, drawn_rows

ROUTING = RoutingRequest(seed=4, sample_index=1, k_keep=2, r=16, tau=1.0, scope="generation")


class PlainState:
    """A model's own state class: remembers its calls and answers with the model's inputs."""

    def __init__(self, *args: Any) -> None:
        self.calls: list[str] = []

    def add_request(self, req_index: int, new_req_data: Any) -> None:
        self.calls.append(f"add {new_req_data.req_id} at {req_index}")

    def remove_request(self, req_id: str) -> None:
        self.calls.append(f"remove {req_id}")

    def prepare_inputs(self, input_batch: Any, req_states: Any) -> dict[str, Any]:
        return {"model": "inputs"}


@pytest.fixture(autouse=True)
def _idle_step() -> Iterator[None]:
    yield
    STEP.set(None)


@pytest.fixture
def state() -> Any:
    return runner_v2.with_rows(PlainState)("config", "model", None, "cpu")


def _new_request(req_id: str, n_prompt: int, routing: RoutingRequest | None) -> NewRequestData:
    params = SamplingParams(extra_args=None if routing is None else routing.put(None))
    known = {
        "req_id": req_id,
        "prompt_token_ids": list(range(n_prompt)),
        "sampling_params": params,
        "prefill_token_ids": list(range(n_prompt)),
    }
    required = [
        name
        for name, parameter in inspect.signature(NewRequestData).parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]
    return NewRequestData(**{**dict.fromkeys(required), **known})


def _batch(*requests: tuple[str, int, int]) -> InputBatch:
    """Make vLLM's batch of (request id, first position, number of tokens)."""
    req_ids, first, n_tokens = zip(*requests, strict=True)
    buffers = InputBuffers(max_num_reqs=8, max_num_tokens=64, device=torch.device("cpu"))
    dummy = InputBatch.make_dummy(len(requests), sum(n_tokens), buffers)
    return dataclasses.replace(
        dummy,
        req_ids=list(req_ids),
        num_computed_tokens_np=np.array(first, dtype=np.int32),
        num_scheduled_tokens=np.array(n_tokens, dtype=np.int32),
    )


def test_each_models_state_class_is_extended_once() -> None:
    class Model:
        @staticmethod
        def get_model_state_cls() -> type:
            return PlainState

    runner_v2.install()
    runner_v2.install()
    found = model_states.resolve_model_state_cls(None, Model())
    assert found is runner_v2.with_rows(PlainState)
    assert found.__mro__[1] is PlainState


def test_the_methods_that_are_extended_are_vllms() -> None:
    for name in ("add_request", "remove_request", "prepare_inputs"):
        theirs = list(inspect.signature(getattr(ModelState, name)).parameters)
        ours = list(inspect.signature(getattr(runner_v2.with_rows(PlainState), name)).parameters)
        assert ours == theirs


def test_the_models_own_state_still_hears_of_everything(state: Any) -> None:
    state.add_request(3, _new_request("a", 5, ROUTING))
    state.remove_request("a")
    assert state.calls == ["add a at 3", "remove a"]
    assert state.prepare_inputs(_batch(("a", 0, 5)), None) == {"model": "inputs"}


def test_a_step_draws_the_rows_of_its_batch(state: Any) -> None:
    state.add_request(0, _new_request("plain", 3, None))
    state.add_request(1, _new_request("drawn", 5, ROUTING))
    state.prepare_inputs(_batch(("plain", 3, 1), ("drawn", 2, 4)), None)
    expected = drawn_rows(
        [None, ROUTING], n_prompt_tokens=[3, 5], first_positions=np.array([3, 2]), n_tokens=np.array([1, 4])
    )
    assert STEP.drawn is not None
    assert expected is not None
    assert STEP.drawn.numbers.tolist() == expected.numbers.tolist() == [3, 4]
    assert STEP.drawn.settings.keys.tolist() == expected.settings.keys.tolist()


def test_a_dummy_batch_draws_nothing_although_it_reuses_indices(state: Any) -> None:
    state.add_request(0, _new_request("drawn", 1, ROUTING))
    state.prepare_inputs(_batch(("drawn", 0, 1)), None)
    assert STEP.drawn is not None
    buffers = InputBuffers(max_num_reqs=8, max_num_tokens=64, device=torch.device("cpu"))
    state.prepare_inputs(InputBatch.make_dummy(1, 1, buffers), None)
    assert STEP.drawn is None


def test_a_request_that_left_is_forgotten(state: Any) -> None:
    state.add_request(0, _new_request("drawn", 1, ROUTING))
    state.remove_request("drawn")
    state.remove_request("never known")
    state.prepare_inputs(_batch(("drawn", 0, 1)), None)
    assert STEP.drawn is None


def test_a_preempted_request_comes_back_with_its_prompts_length(state: Any) -> None:
    # The runner then adds prompt and answer so far as tokens to prefill; the prompt stays what the user gave.
    back = dataclasses.replace(_new_request("drawn", 5, ROUTING), prefill_token_ids=list(range(9)))
    state.add_request(0, back)
    state.prepare_inputs(_batch(("drawn", 0, 9)), None)
    assert STEP.drawn is not None
    assert STEP.drawn.numbers.tolist() == [4, 5, 6, 7, 8]


def test_the_shipped_state_classes_can_be_extended() -> None:
    from vllm.v1.worker.gpu.model_states.default import DefaultModelState
    from vllm.v1.worker.gpu.model_states.mamba_hybrid import MambaHybridModelState

    for shipped in (DefaultModelState, MambaHybridModelState):
        assert issubclass(runner_v2.with_rows(shipped), shipped)
        assert not inspect.isabstract(runner_v2.with_rows(shipped))
