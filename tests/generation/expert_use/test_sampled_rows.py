"""Which rows yield a token, as either of vLLM's model runners tells it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from generation.expert_use.sampled_rows import SampledRows  # noqa: E402
from generation.expert_use.wrapping import Wrappings  # noqa: E402

N_TOKENS = np.array([5, 1, 3, 1])
"""A whole prompt, a token of a response, a piece of a prompt, another token."""


class FirstRunner:
    """What the first runner is asked for, and where it says which tokens it will throw away."""

    def __init__(self) -> None:
        self.discard_request_mask = SimpleNamespace(np=np.ones(8, np.bool_))

    def _prepare_inputs(self, scheduler_output: Any, num_scheduled_tokens: Any) -> str:
        self.discard_request_mask.np[: len(num_scheduled_tokens)] = scheduler_output
        return "inputs"

    def _dummy_run(self, n: int) -> int:
        return n


def test_the_first_runner_says_what_it_throws_away() -> None:
    runner, wrappings = FirstRunner(), Wrappings()
    sampled = SampledRows(torch.device("cpu"))
    sampled.follow(runner, wrappings)
    assert runner._prepare_inputs([False, False, True, False], N_TOKENS) == "inputs"
    assert sampled.rows.tolist() == [4, 5, 9]
    assert sampled.requests.tolist() == [0, 1, 3]
    assert runner._dummy_run(7) == 7
    assert sampled.rows.tolist() == []
    wrappings.undo()
    runner._prepare_inputs([False] * 4, N_TOKENS)
    assert sampled.rows.tolist() == []


class State:
    def prepare_inputs(self, input_batch: Any, req_states: Any) -> str:
        return "inputs"


def batch(*names: str) -> Any:
    return SimpleNamespace(
        req_ids=list(names),
        num_scheduled_tokens=N_TOKENS,
        num_computed_tokens_np=np.array([0, 12, 2, 8]),
        prefill_len_np=np.array([5, 9, 6, 8]),
    )


def test_of_the_second_runner_prompts_in_pieces_and_dummies_are_left_out() -> None:
    runner: Any = SimpleNamespace(model_state=State())
    wrappings = Wrappings()
    sampled = SampledRows(torch.device("cpu"))
    sampled.follow(runner, wrappings)
    states = SimpleNamespace(req_id_to_index={"a": 3, "b": 0, "c": 1, "d": 2})
    assert runner.model_state.prepare_inputs(batch("a", "b", "c", "d"), states) == "inputs"
    assert sampled.rows.tolist() == [4, 5, 9]
    assert sampled.requests.tolist() == [0, 1, 3]
    runner.model_state.prepare_inputs(batch("req_0", "req_1", "req_2", "req_3"), states)
    assert sampled.rows.tolist() == []
    wrappings.undo()
    assert "prepare_inputs" not in vars(runner.model_state)


def test_the_second_runners_batch_has_what_is_read_of_it() -> None:
    """vLLM's own names, which move."""
    pytest.importorskip("vllm")
    import dataclasses

    from vllm.v1.worker.gpu.input_batch import InputBatch
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner

    fields = {field.name for field in dataclasses.fields(InputBatch)}
    assert set(vars(batch("a"))) <= fields
    assert {"_prepare_inputs", "_dummy_run"} <= set(vars(GPUModelRunner))
