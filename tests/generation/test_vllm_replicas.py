"""Replicas on real vLLM: the same responses as of the engine that they stand in for, and what is left when one dies."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("vllm")

from diversity_judge.errors import InputError, RunError
from generation.engines import EngineInfo, Generation, GenerationRequest, SampleFailedError, check_strategies
from generation.engines.replicas import ReplicasEngine
from generation.engines.vllm_options import VLLMOptions
from generation.prompt_formats import Message
from generation.strategies import TokenSampling, load_presets, parse_strategies
from tests.generation.conftest import SharedEngine, small_cache
from tests.generation.engine_thread import EngineThread
from tests.generation.test_vllm_engine import plan, sample_all

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

ARGS = {"dtype": "float32", "enforce_eager": True, "max_model_len": 512, "max_num_seqs": 16}
TOO_LONG = GenerationRequest((Message("user", "x" * 600),), TokenSampling(), 1, {}, 10)


@dataclasses.dataclass(frozen=True)
class Replicas:
    engine: ReplicasEngine
    info: EngineInfo
    thread: EngineThread


@pytest.fixture(scope="module")
def replicas(vllm_with_plugin: None, demo_model: Path) -> Iterator[Replicas]:
    thread = EngineThread()
    engine = ReplicasEngine(VLLMOptions(str(demo_model), ARGS, expert_sample=True), 2)
    try:
        with small_cache():
            info = thread.run(engine.start())
        yield Replicas(engine, info, thread)
    finally:
        thread.run(engine.close())
        thread.close()
        assert not children()


def children() -> list[psutil.Process]:
    """Processes of replicas below this one that still run."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie has no command line
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_replicas_give_the_responses_of_one_engine(replicas: Replicas, shared_engine: SharedEngine) -> None:
    assert replicas.info == shared_engine.info
    what = plan(n=4)
    requests = [what.request(sample) for sample in what.samples()]
    expected = list(sample_all(shared_engine, what).values())

    async def one_by_one() -> list[Generation]:
        return list(await asyncio.gather(*map(replicas.engine.generate, requests)))

    async def in_rounds() -> list[Generation | SampleFailedError]:
        rounds = [requests[start : start + 8] for start in range(0, len(requests), 8)]
        answers = await asyncio.gather(*map(replicas.engine.generate_together, rounds))
        return [outcome for answer in answers for outcome in answer]

    assert replicas.thread.run(one_by_one()) == expected
    assert replicas.thread.run(in_rounds()) == expected


def test_a_replica_is_born_with_one_thread(replicas: Replicas) -> None:
    """With an OpenMP that is preloaded nothing that Python says later would count."""
    assert {child.environ()["OMP_NUM_THREADS"] for child in children()} == {"1"}


def test_what_is_refused_fails_alone(replicas: Replicas) -> None:
    run, engine = replicas.thread.run, replicas.engine
    what = plan("token-normal", n=1)
    requests = [what.request(sample) for sample in what.samples()]
    outcomes = run(engine.generate_together([requests[0], TOO_LONG, requests[1]]))
    assert [isinstance(outcome, SampleFailedError) for outcome in outcomes] == [False, True, False]
    with pytest.raises(SampleFailedError):
        run(engine.generate(TOO_LONG))
    run(check_strategies(engine, plan().strategies))
    with pytest.raises(InputError, match="from 0 to 4"):
        run(check_strategies(engine, parse_strategies(["expert-sample:k_keep=9"], load_presets())))


def test_a_killed_replica_ends_the_run_and_hangs_nobody(replicas: Replicas) -> None:
    """Last: nothing can be sampled with what is left."""
    what = plan("token-normal", n=8)
    requests = [dataclasses.replace(what.request(sample), max_tokens=300) for sample in what.samples()]

    async def killed_in_between() -> None:
        victim = children()[0].pid
        os.kill(victim, signal.SIGSTOP)  # it gets its round, and can't be done with it
        rounds = [asyncio.ensure_future(replicas.engine.generate_together(requests)) for _ in range(2)]
        await asyncio.sleep(0)  # one step of each task: both rounds are sent
        os.kill(victim, signal.SIGKILL)
        await asyncio.gather(*rounds)

    with pytest.raises(RunError, match="replica of the vLLM engine died"):
        replicas.thread.run(killed_in_between())


def test_a_model_that_is_not_there_is_an_error_of_one_line(vllm_with_plugin: None, tmp_path: Path) -> None:
    thread = EngineThread()
    engine = ReplicasEngine(VLLMOptions(str(tmp_path / "no-model")), 1)
    try:
        with pytest.raises(RunError, match=r"vLLM does not start with .*no-model"):
            thread.run(engine.start())
    finally:
        thread.run(engine.close())
        thread.close()
