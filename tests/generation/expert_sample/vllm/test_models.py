"""Each supported architecture on real vLLM: off as without the plugin, on by seed, and the same again.

Every model is run in a process with the plugin and in one without. Two are compiled, as vLLM does by default: one
for each of the two ways in which a model's router is replaced.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.generation import vllm_job
from tests.generation.vllm_job import Answer, Ask, Engine, settings

pytestmark = pytest.mark.vllm

COMPILED = ("qwen3_moe", "deepseek_v2")
EAGER = ("gpt_oss", "bailing_moe", "qwen3_next", "olmoe")
REFUSED = ("dense", "grouped", "mixtral")
N_SEEDS = 8

PROMPTS = [[257, *range(40 + i, 60 + 3 * i)] for i in range(6)]
PLAIN = [Ask(prompt) for prompt in PROMPTS]
SAMPLED = [Ask(prompt, params={"temperature": 0.7, "seed": 5}) for prompt in PROMPTS]
BY_SEED = [Ask(PROMPTS[0], settings(seed)) for seed in range(N_SEEDS)]
ONE_KEPT = [Ask(PROMPTS[0], settings(seed, k_keep=1)) for seed in range(N_SEEDS)]
MIXED = [ask for pair in zip(BY_SEED, PLAIN, strict=False) for ask in pair]
ALL_KEPT = [Ask(prompt, settings(0, k_keep="k")) for prompt in PROMPTS]
TARGET = Ask(PROMPTS[5], settings(77))
CROWD = [*(Ask([257, *range(i, 2 * i + 9)], settings(i) if i % 2 else None) for i in range(32)), TARGET]

Results = dict[str, list[list[Answer]]]


def _engine(name: str, folder: str, *, plugin: bool) -> Engine:
    batches = [PLAIN, SAMPLED]
    if plugin and name in REFUSED:
        batches = [*batches, BY_SEED[:1], *([ONE_KEPT] if name == "mixtral" else [])]
    elif plugin:
        batches = [*batches, BY_SEED, BY_SEED, MIXED, ALL_KEPT, [TARGET], CROWD]
    return Engine(folder, batches, {"max_num_batched_tokens": 256, "enforce_eager": name not in COMPILED})


def _results(tiny_model: Callable[[str], str], folder: Path, *, plugin: bool) -> Results:
    names = [*COMPILED, *EAGER, *REFUSED]
    engines = [_engine(name, tiny_model(name), plugin=plugin) for name in names]
    done = vllm_job.run(engines, folder, plugin=plugin)
    return {name: engine.batches for name, engine in zip(names, done, strict=True)}


@pytest.fixture(scope="module")
def without_plugin(tiny_model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Results:
    return _results(tiny_model, tmp_path_factory.mktemp("without"), plugin=False)


@pytest.fixture(scope="module")
def with_plugin(tiny_model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Results:
    return _results(tiny_model, tmp_path_factory.mktemp("with"), plugin=True)


@pytest.mark.parametrize("name", [*COMPILED, *EAGER, *REFUSED])
def test_off_gives_the_tokens_that_vllm_gives_without_the_plugin(
    name: str, with_plugin: Results, without_plugin: Results
) -> None:
    assert with_plugin[name][:2] == without_plugin[name]


@pytest.mark.parametrize("name", [*COMPILED, *EAGER])
def test_on_differs_by_seed_and_from_off(name: str, with_plugin: Results) -> None:
    plain, _, by_seed, *_ = with_plugin[name]
    outputs = {tuple(answer.tokens[0]) for answer in by_seed}
    assert len(outputs) > 1
    assert outputs != {tuple(plain[0].tokens[0])}


@pytest.mark.parametrize("name", [*COMPILED, *EAGER])
def test_the_same_seeds_give_the_same_tokens_again(name: str, with_plugin: Results) -> None:
    _, _, by_seed, again, *_ = with_plugin[name]
    assert [answer.tokens for answer in again] == [answer.tokens for answer in by_seed]


# Not Qwen3-Next: its linear attention, bfloat16 on the CPU, depends on the batch also without the plugin.
@pytest.mark.parametrize("name", [name for name in (*COMPILED, *EAGER) if name != "qwen3_next"])
def test_in_a_mixed_batch_each_request_gets_what_it_gets_among_its_own_kind(name: str, with_plugin: Results) -> None:
    plain, _, by_seed, _, mixed, *_ = with_plugin[name]
    expected = [answer for pair in zip(by_seed, plain, strict=False) for answer in pair]
    assert [answer.tokens for answer in mixed] == [answer.tokens for answer in expected]


@pytest.mark.parametrize("name", [*COMPILED, *EAGER])
def test_keeping_all_experts_is_the_baseline(name: str, with_plugin: Results) -> None:
    plain, _, _, _, _, all_kept, *_ = with_plugin[name]
    assert [answer.tokens for answer in all_kept] == [answer.tokens for answer in plain]


def test_compiled_and_in_bfloat16_a_request_gives_the_same_tokens_alone_and_with_32_others(
    with_plugin: Results,
) -> None:
    *_, (alone,), crowd = with_plugin["qwen3_moe"]
    assert crowd[-1].tokens == alone.tokens


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dense", "this model has no mixture-of-experts layer"),
        ("grouped", "its layers select within 4 groups of experts"),
        ("mixtral", "k_keep is 'k//2+1' = 2; for this model (k=2 of 8 experts) that leaves no expert to draw"),
    ],
)
def test_a_model_that_cant_be_right_is_refused_with_the_reason(name: str, reason: str, with_plugin: Results) -> None:
    (answer,) = with_plugin[name][2]
    assert answer == dataclasses.replace(Answer(), error=answer.error)
    assert reason in (answer.error or "")


def test_a_model_of_two_active_experts_is_drawn_with_one_of_them_kept(with_plugin: Results) -> None:
    plain, _, _, one_kept = with_plugin["mixtral"]
    assert [answer.error for answer in one_kept] == [None] * N_SEEDS
    outputs = {tuple(answer.tokens[0]) for answer in one_kept}
    assert len(outputs) > 1
    assert outputs != {tuple(plain[0].tokens[0])}
