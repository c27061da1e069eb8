"""The in-process engine on real vLLM. All tests share one engine start."""

import asyncio
import dataclasses
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("vllm")

from diversity_judge.errors import InputError
from generation.engines import Generation, GenerationRequest, SampleFailedError, check_strategies
from generation.engines.vllm_options import active_experts_override
from generation.engines.vllm_requests import Prompts
from generation.grading.grader import Grader
from generation.grading.queueing import GradingQueue
from generation.problems import Problem
from generation.prompt_formats import Message, formats_for
from generation.response_file import Manifest, finished_samples, open_response_file
from generation.sampling.sampler import SamplingPlan, sample_missing
from generation.strategies import TokenSampling, load_presets, parse_strategies
from tests.generation.conftest import SharedEngine

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

PROBLEMS = (Problem("sum", "17+25?", "42"), Problem("long", "Say why. " * 20, "1"))
STRATEGIES = "token-normal,token-high,edt,expert-sample,expert-sample:k_keep=0,tau=3.0"


def plan(text: str = STRATEGIES, *, n: int = 3, seed: int = 1) -> SamplingPlan:
    strategies = parse_strategies([text], load_presets())
    return SamplingPlan(PROBLEMS, strategies, n, seed, 16, formats_for(PROBLEMS))


def sample_all(shared: SharedEngine, what: SamplingPlan, *, one_by_one: bool = False) -> dict[object, Generation]:
    async def whole() -> list[Generation]:
        requests = [what.request(sample) for sample in what.samples()]
        if one_by_one:
            return [await shared.engine.generate(request) for request in requests]
        return list(await asyncio.gather(*map(shared.engine.generate, requests)))

    keys = [sample.key for sample in what.samples()]
    return dict(zip(keys, shared.thread.run(whole()), strict=True))


def test_all_strategies_are_accepted_by_one_engine(shared_engine: SharedEngine) -> None:
    shared_engine.thread.run(check_strategies(shared_engine.engine, plan().strategies))
    assert shared_engine.info.versions["vllm"].startswith("0.")


def test_a_sample_is_the_same_alone_and_among_others_and_again(shared_engine: SharedEngine) -> None:
    together = sample_all(shared_engine, plan())
    alone = sample_all(shared_engine, plan(n=1), one_by_one=True)
    assert together == sample_all(shared_engine, plan())
    assert {key: together[key] for key in alone} == alone


def test_samples_and_seeds_differ(shared_engine: SharedEngine) -> None:
    first = sample_all(shared_engine, plan())
    second = sample_all(shared_engine, plan(seed=2))
    assert not {g.text for g in first.values()} & {g.text for g in second.values()}
    assert len({g.text for g in first.values()}) == len(first)


def test_only_routing_noise_makes_greedy_decoding_vary(shared_engine: SharedEngine) -> None:
    hot = "expert-sample:temperature=0,k_keep=0,tau=10.0,r=32"
    texts = Counter(g.text for g in sample_all(shared_engine, plan(hot, n=8)).values())
    assert len(texts) >= 8
    kept = sample_all(shared_engine, plan("expert-sample:temperature=0,k_keep=k", n=4))
    greedy = sample_all(shared_engine, plan("greedy"))
    by_problem = {key.problem_id: g.text for key, g in greedy.items()}  # type: ignore[attr-defined]
    assert all(g.text == by_problem[key.problem_id] for key, g in kept.items())  # type: ignore[attr-defined]


def test_edt_without_theta_is_plain_temperature(shared_engine: SharedEngine) -> None:
    """T = t0 * n ** 0 = t0, so both sample the same tokens from the same seeds."""
    as_edt = parse_strategies(["edt:t0=0.5,theta=0"], load_presets())[0]
    plain = dataclasses.replace(as_edt, tokens=TokenSampling(temperature=0.5), edt=None)
    texts = []
    for strategy in (as_edt, plain):
        what = dataclasses.replace(plan(n=4), strategies=[strategy])
        texts.append([g.text for g in sample_all(shared_engine, what).values()])
    assert texts[0] == texts[1]


def test_the_longest_response_is_what_the_context_leaves(shared_engine: SharedEngine) -> None:
    # A byte is a token, and the template adds three: 403 of 512 are the prompt's.
    request = GenerationRequest((Message("user", "x" * 400),), TokenSampling(), 1, {}, 10_000)
    several = [dataclasses.replace(request, seed=seed) for seed in range(8)]

    async def whole() -> list[Generation]:
        return list(await asyncio.gather(*map(shared_engine.engine.generate, several)))

    results = shared_engine.thread.run(whole())
    assert {g.n_tokens for g in results if g.finish_reason == "length"} <= {512 - 403}
    assert all(g.n_tokens is not None and g.n_tokens <= 512 - 403 for g in results)


def test_a_prompt_beyond_the_context_fails_its_sample_only(shared_engine: SharedEngine) -> None:
    request = GenerationRequest((Message("user", "x" * 600),), TokenSampling(), 1, {}, 10)
    with pytest.raises(SampleFailedError):
        shared_engine.thread.run(shared_engine.engine.generate(request))
    assert sample_all(shared_engine, plan("token-normal", n=1))


@pytest.mark.parametrize(
    ("k_keep", "message"), [("9", "from 0 to 4"), ("k//2+2", "leaves no expert to draw: give k_keep from 0 to 3")]
)
def test_settings_that_do_not_fit_the_model_are_refused_with_its_range(
    k_keep: str, message: str, shared_engine: SharedEngine
) -> None:
    strategies = parse_strategies([f"expert-sample:k_keep={k_keep}"], load_presets())
    with pytest.raises(InputError, match=message):
        shared_engine.thread.run(check_strategies(shared_engine.engine, strategies))


def test_a_template_that_opens_the_reasoning_leaves_its_tag_in_the_response(shared_engine: SharedEngine) -> None:
    request = GenerationRequest((Message("user", "x<think>"),), TokenSampling(), 1, {}, 4)
    engine = shared_engine.engine
    before = engine._prompts
    engine._prompts = Prompts(engine._llm.renderer, dataclasses.replace(engine._options, chat_template=False))
    try:
        assert shared_engine.thread.run(engine.generate(request)).text.startswith("<think>\n")
    finally:
        engine._prompts = before


def test_lines_are_written_and_resumed(shared_engine: SharedEngine, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"

    async def sample(what: SamplingPlan) -> int:
        with open_response_file(path, Manifest({}, {}, {}, {}), {}) as file, Grader() as grader:
            missing = what.missing(file.finished)
            async with GradingQueue(file, grader) as sink:
                await sample_missing(
                    shared_engine.engine,
                    what,
                    missing,
                    info=shared_engine.info,
                    sink=sink,
                    concurrency=64,
                    on_response=lambda n_tokens: None,
                )
            return len(missing)

    def run(what: SamplingPlan) -> int:
        return shared_engine.thread.run(sample(what))

    assert run(plan(n=1)) == 10
    assert run(plan(n=2)) == 10
    assert finished_samples(path) == {sample.key for sample in plan(n=2).samples()}


def test_requests_that_start_together_repeat_and_say_what_is_refused(shared_engine: SharedEngine) -> None:
    engine, run = shared_engine.engine, shared_engine.thread.run
    what = plan(n=3)
    samples = list(what.samples())
    requests = [what.request(sample) for sample in samples]
    too_long = GenerationRequest((Message("user", "x" * 600),), TokenSampling(), 1, {}, 10)
    first = run(engine.generate_together([*requests[:4], too_long, *requests[4:]]))
    assert isinstance(first.pop(4), SampleFailedError)
    assert run(engine.generate_together(requests)) == first
    alone = sample_all(shared_engine, what)
    assert first == [alone[sample.key] for sample in samples]


def test_the_override_for_active_experts(demo_model: Path) -> None:
    assert active_experts_override(str(demo_model), 2) == {"num_experts_per_tok": 2}
    with pytest.raises(InputError, match="has 32 experts"):
        active_experts_override(str(demo_model), 33)
