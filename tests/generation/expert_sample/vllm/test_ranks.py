"""An engine of two tensor-parallel ranks gives the tokens of an engine of one.

Each rank routes every token; had they not drawn the same experts, they would add up partial sums of different
functions. The ranks also run in processes that vLLM starts itself, so that the plugin gets there by its entry point
alone. (Two pipeline stages would be next, but vLLM 0.32 can't run them on a CPU, with or without the plugin.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.generation import vllm_job
from tests.generation.vllm_job import Ask, Engine, settings

pytestmark = pytest.mark.vllm

PROMPTS = [[257, *range(60 + i, 80 + 2 * i)] for i in range(4)]
BATCH = [Ask(PROMPTS[0]), *(Ask(prompt, settings(seed)) for seed, prompt in enumerate(PROMPTS))]


def _tokens(model: str, folder: Path, *, ranks: int) -> list[list[list[int]]]:
    args = {"dtype": "float32", "max_num_batched_tokens": 256, "tensor_parallel_size": ranks}
    (done,) = vllm_job.run([Engine(model, [BATCH], args)], folder)
    return [answer.tokens for answer in done.batches[0]]


def test_two_ranks_give_the_tokens_of_one(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    model = tiny_model("qwen3_moe")
    assert _tokens(model, tmp_path, ranks=2) == _tokens(model, tmp_path, ranks=1)
