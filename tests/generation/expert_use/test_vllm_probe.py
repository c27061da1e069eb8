"""What is watched in vLLM against transformers on the same tokens. The engine is the shared one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm")

import torch

from generation.engines.vllm_requests import sampling_params
from generation.expert_sample.settings import ExpertSampleSettings
from generation.expert_sample.vllm.support import ModelSupport
from generation.expert_use.asked import Asked
from generation.expert_use.numbers import RouterNumbers
from generation.expert_use.profile import RoutingProfile
from generation.problems import Problem
from generation.prompt_formats import formats_for
from generation.sampling.sampler import Sample, SamplingPlan
from generation.strategies import Strategy, load_presets, parse_strategies
from tests.generation.conftest import SharedEngine
from tests.generation.routing_study.oracles import entropy_by_sorting, new_share_by_enumeration

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

PROBLEMS = (Problem("sum", "17+25?", "42"), Problem("long", "Say why. " * 20, "1"), Problem("word", "Yes or no?", "1"))
STRATEGIES = ("token-normal", "token-high:min_p=0.02", "edt:t0=0.9,theta=0.3,top_p=0.9", "greedy")
DRAW = ExpertSampleSettings(k_keep=2, tau=2.0, r="3k")
N_TOKENS = 12


@dataclass(frozen=True)
class Written:
    """A response by its tokens."""

    prompt: Sequence[int]
    response: Sequence[int]


def strategy_of(text: str) -> Strategy:
    return parse_strategies([text], load_presets())[0]


def write(shared: SharedEngine, strategy: Strategy) -> list[Written]:
    """Responses of `N_TOKENS` tokens each to the problems, all at once."""
    engine: Any = shared.engine
    plan = SamplingPlan(PROBLEMS, [strategy], 1, 3, N_TOKENS, formats_for(PROBLEMS))

    async def one(sample: Sample) -> Written:
        request = plan.request(sample)
        prompt = engine._prompts.of(request.messages)
        params = sampling_params(request, prompt, engine.max_model_len)
        params.ignore_eos = True  # else the engine may do a step more for a response that has ended
        name = f"{strategy.name}-{sample.problem.problem_id}-{request.seed}"
        outputs = [out async for out in engine._llm.generate(dict(prompt.engine_input), params, request_id=name)]
        return Written(list(prompt.engine_input["prompt_token_ids"]), list(outputs[-1].outputs[0].token_ids))

    async def whole() -> list[Written]:
        return list(await asyncio.gather(*map(one, plan.samples())))

    return shared.thread.run(whole())


def watch(shared: SharedEngine, strategy: Strategy) -> None:
    """Begin to watch anew."""
    engine, run = shared.engine, shared.thread.run
    support = ModelSupport.of_ranks(run(engine.call_workers("routing_probe_support")))
    assert (support.k, support.n_experts, support.reason) == (4, 32, None)
    asked = Asked(strategy.tokens, strategy.edt, DRAW.resolve(support.k, support.n_experts), seed=5)
    assert run(engine.call_workers("start_routing_probe", asked.plain())) == [None]


def read(shared: SharedEngine) -> Any:
    return shared.thread.run(shared.engine.call_workers("read_routing_probe"))


@pytest.fixture(scope="module")
def reference(demo_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(demo_model, dtype=torch.float32).eval()


def forward(model: Any, written: Written) -> tuple[Any, Any]:
    """Logits (tokens, V) and router logits (layers, tokens, E) at the tokens that yield one of the response."""
    with torch.inference_mode():
        found = model(torch.tensor([[*written.prompt, *written.response]]), output_router_logits=True)
    yields = slice(len(written.prompt) - 1, len(written.prompt) + len(written.response) - 1)
    routers = torch.stack([layer.view(-1, layer.shape[-1])[yields] for layer in found.router_logits])
    return found.logits[0, yields].double().numpy(), routers.double().numpy()


@pytest.mark.parametrize("text", STRATEGIES)
def test_a_model_is_only_watched_and_its_numbers_are_those_of_transformers(
    text: str, shared_engine: SharedEngine, reference: Any
) -> None:
    strategy = strategy_of(text)
    before = write(shared_engine, strategy)
    watch(shared_engine, strategy)
    start = read(shared_engine)
    assert write(shared_engine, strategy) == before, "being watched changes no token"
    answers = read(shared_engine)
    numbers = RouterNumbers.from_workers(start, answers, is_greedy=text == "greedy")
    assert numbers.n_tokens == sum(len(written.response) for written in before) == 3 * N_TOKENS

    logits, routers = zip(*(forward(reference, written) for written in before), strict=True)
    uncut = strategy_of("token-normal:temperature=1,top_p=1,top_k=0").tokens
    expected = [(as_sampled(row, strategy), entropy_by_sorting(row, uncut)) for each in logits for row in each]
    drawn, at_one = np.mean(expected, axis=0)
    assert numbers.entropy.value == pytest.approx(drawn, rel=2e-3, abs=1e-6)
    assert numbers.entropy_t1.value == pytest.approx(at_one, rel=2e-3)

    rows = [row for each in routers for layer in each for row in layer]
    exact = [new_share_by_enumeration(row, k=4, k_keep=2, r=12, tau=2.0) for row in rows]
    # A share lies between 0 and .6 or so; its spread between draws is below .2, with 4 draws a token and layer.
    assert numbers.new_share.value == pytest.approx(np.mean(exact), abs=4 * 0.2 / np.sqrt(4 * len(rows)))


def as_sampled(row: Any, strategy: Strategy) -> float:
    if strategy.edt is None:
        return entropy_by_sorting(row, strategy.tokens)
    plain = entropy_by_sorting(row, strategy_of("token-normal:temperature=1,top_p=1,top_k=0").tokens)
    temperature = strategy.edt.t0 * strategy.edt.n ** (strategy.edt.theta / plain)
    return entropy_by_sorting(row / temperature, strategy.tokens)


def test_router_probabilities_by_rank(shared_engine: SharedEngine) -> None:
    """Sums are those of sorted softmax rows, over all tokens that went through the routers."""
    strategy = strategy_of("token-normal:temperature=0.9")
    watch(shared_engine, strategy)
    written = write(shared_engine, strategy)
    profile = RoutingProfile.from_workers(read(shared_engine))
    assert profile.layers == (0, 1)
    assert profile.active_experts == 4
    assert profile.by_layer.shape == (2, 32)
    np.testing.assert_allclose(profile.by_layer.sum(axis=1), 1.0, rtol=1e-5)
    assert (np.diff(profile.by_layer, axis=1) <= 0).all()
    assert profile.n_tokens >= sum(len(each.response) for each in written)
