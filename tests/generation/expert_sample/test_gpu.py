"""The truths of Expert-Sample on a GPU: second model runner, CUDA graphs, the Triton kernel.

Run where there is one: `python -m pytest -m gpu`. What the tests on the CPU state about tokens is stated here again,
with graphs captured and without, since a graph that kept reading another step's rows would show in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.generation.vllm_job import Ask, generate, settings

pytestmark = pytest.mark.gpu

PROMPTS = [[257, *range(40 + i, 60 + 3 * i)] for i in range(6)]
PLAIN = [Ask(prompt) for prompt in PROMPTS]
BY_SEED = [Ask(PROMPTS[0], settings(seed)) for seed in range(8)]
MIXED = [ask for pair in zip(BY_SEED, PLAIN, strict=False) for ask in pair]
MODELS = ("qwen3_moe", "gpt_oss", "bailing_moe", "qwen3_next", "olmoe", "deepseek_v2")


@pytest.fixture(scope="module", autouse=True)
def _needs_a_gpu(vllm_with_plugin: None) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")


@pytest.fixture(
    scope="module",
    params=[(name, eager) for name in MODELS for eager in (False, True)],
    ids=lambda param: f"{param[0]}-{'eager' if param[1] else 'graphs'}",
)
def llm(request: pytest.FixtureRequest, tiny_model: Callable[[str], str]) -> Iterator[Any]:
    from vllm import LLM
    from vllm.distributed import cleanup_dist_env_and_memory

    name, eager = request.param
    made = LLM(
        tiny_model(name),
        trust_remote_code=True,
        max_model_len=256,
        max_num_seqs=40,
        enforce_eager=eager,
        gpu_memory_utilization=0.3,
        additional_config={"expert_sample": {"enabled": False}},
    )
    yield made
    made.llm_engine.engine_core.shutdown()
    del made
    cleanup_dist_env_and_memory()


def _tokens(llm: Any, batch: list[Ask]) -> list[list[list[int]]]:
    answers = generate(llm, batch)
    assert [answer.error for answer in answers] == [None] * len(batch)
    return [answer.tokens for answer in answers]


def test_on_differs_by_seed_and_repeats(llm: Any) -> None:
    first = _tokens(llm, BY_SEED)
    assert len({tuple(tokens[0]) for tokens in first}) > 1
    assert _tokens(llm, BY_SEED) == first


def test_off_is_not_touched_by_steps_that_drew(llm: Any) -> None:
    before = _tokens(llm, PLAIN)
    _tokens(llm, BY_SEED)
    assert _tokens(llm, PLAIN) == before


def test_keeping_all_experts_is_the_baseline(llm: Any) -> None:
    kept = [Ask(prompt, settings(0, k_keep="k")) for prompt in PROMPTS]
    assert _tokens(llm, kept) == _tokens(llm, PLAIN)


def test_the_second_model_runner_is_what_ran(llm: Any) -> None:
    assert llm.llm_engine.vllm_config.use_v2_model_runner


def test_the_router_chooses_what_the_reference_chooses() -> None:
    import torch

    from generation.expert_sample import dispatch, reference
    from generation.expert_sample.noise import row_keys
    from generation.expert_sample.rows import RowSettings

    generator = torch.Generator().manual_seed(3)
    for n_experts, k, dtype in ((128, 8, torch.bfloat16), (32, 4, torch.bfloat16), (512, 10, torch.float32)):
        n_rows = 70
        logits = torch.randn(n_rows, n_experts, generator=generator).to(dtype)
        keys = row_keys(torch.tensor(1), 0, torch.arange(n_rows))
        drawn = RowSettings.alike(keys, k_keep=k // 2 + 1, r=min(4 * k, n_experts))
        rows = replace(drawn, enabled=torch.arange(n_rows) % 3 != 0)
        expected = reference.route(logits, rows, k=k, renormalize=True, layer=5)
        given = dispatch.route(logits.cuda(), rows.map(torch.Tensor.cuda), k=k, renormalize=True, layer=5)
        assert torch.equal(given[1].cpu().sort(dim=1).values, expected[1].sort(dim=1).values)
        torch.testing.assert_close(given[0].cpu().sum(dim=1), expected[0].sum(dim=1))
