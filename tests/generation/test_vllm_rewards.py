"""Reward models of the three kinds through real vLLM, against transformers: here, in a replica, on a server."""

from __future__ import annotations

import asyncio
import json
import math
import shlex
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm")

from generation.engines.cpu_cache import Workload
from generation.engines.make import make_pooling_engine
from generation.engines.options import EngineOptions
from generation.engines.pooling import PoolingEngine
from generation.reward import main
from generation.rewarding.prompts import Prepared, Prompts, engine_args, load_tokenizer
from generation.rewarding.recipes import load_recipes
from generation.rewarding.scorer import check_model
from tests.generation import tiny_rewards
from tests.generation.conftest import small_cache
from tests.generation.vllm_server import vllm_serving

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

PROBLEM = "What is (2 + 2) * 3?"
TEXTS = (
    ("2 + 2 = 4.", "So 4 * 3 = 12.", "The answer is \\boxed{12}."),
    ("One step without a blank line.",),
    ("Сначала 2 + 2 = 4.", "然后 4 * 3 = 12。", "🙂"),
    tuple(f"Step {number} + {number}." for number in range(20)),
)
TOLERANCE = 1e-4


def prompts_of(folder: Path, recipe: str) -> Prompts:
    return Prompts(load_recipes()[recipe], load_tokenizer(str(folder)))


async def scores(engine: PoolingEngine, prompts: Prompts, *, together: bool) -> list[list[float]]:
    async def one(steps: tuple[str, ...]) -> list[float]:
        prepared = prompts.prepare(PROBLEM, "\n\n".join(steps), 1024)
        assert isinstance(prepared, Prepared)
        return prompts.scores(prepared, await engine.rows(prompts.request(prepared)))

    if together:
        return list(await asyncio.gather(*map(one, TEXTS)))
    return [await one(steps) for steps in TEXTS]


def both_ways(folder: Path, recipe: str, **options: Any) -> tuple[list[list[float]], list[list[float]]]:
    """The scores of all texts at once, and of one text after the other, by an engine that is started for them."""
    prompts = prompts_of(folder, recipe)
    args = {"dtype": "float32", "enforce_eager": True, "max_num_seqs": 8}

    async def run() -> tuple[list[list[float]], list[list[float]]]:
        engine = make_pooling_engine(
            EngineOptions(model=str(folder), engine_args=args, **options),
            engine_args(prompts.recipe, prompts, 1024),
            workload=Workload(8, 1024),
        )
        try:
            with small_cache():
                await engine.start()
            await check_model(engine, prompts)
            return await scores(engine, prompts, together=True), await scores(engine, prompts, together=False)
        finally:
            await engine.close()

    return asyncio.run(run())


def assert_equal(found: list[list[float]], expected: list[list[float]]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=TOLERANCE)


def test_marked_steps_in_this_process(tmp_path: Path) -> None:
    folder = tiny_rewards.make_marked(tmp_path / "prm")
    expected = [tiny_rewards.marked_scores(folder, PROBLEM, steps) for steps in TEXTS]
    assert math.dist(expected[3], [expected[3][0]] * 20) > 0.1  # the model tells steps apart
    for found in both_ways(folder, "qwen25-math-prm"):
        assert_equal(found, expected)


def test_one_number_a_response_in_a_replica(tmp_path: Path) -> None:
    folder = tiny_rewards.make_whole(tmp_path / "rm")
    expected = [tiny_rewards.whole_score(folder, PROBLEM, "\n\n".join(steps)) for steps in TEXTS]
    assert any(not 0 < score < 1 for (score,) in expected)  # raw numbers, no probabilities
    for found in both_ways(folder, "skywork-reward-v2", cpu_replicas=1):
        assert_equal(found, expected)


def test_a_dialogue_on_a_server_by_the_command(tmp_path: Path) -> None:
    folder = tiny_rewards.make_dialogue(tmp_path / "lm")
    rows = [
        {"problem_id": "p", "problem": PROBLEM, "sample_id": number, "response": "\n\n".join(steps)}
        for number, steps in enumerate(TEXTS)
    ]
    responses, out = tmp_path / "responses.jsonl", tmp_path / "out.jsonl"
    responses.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = "rlhflow-prm"
    flags = shlex.split(prompts_of(folder, recipe).serve_hint())[3:]
    flags += ["--served-model-name", "tiny", "--dtype", "float32", "--enforce-eager"]
    flags += ["--max-model-len", "1024", "--max-num-seqs", "8"]
    with vllm_serving(folder, flags, tmp_path / "log") as url:
        options = ["--model", "tiny", "--tokenizer", str(folder), "--base-url", url, "--out", str(out)]
        assert main([str(responses), *options, "--recipe", recipe]) == 0
        # The same server has rows of two numbers for every token, so it is no model of marks.
        assert main([str(responses), *options[:-1], str(tmp_path / "no.jsonl"), "--recipe", "skywork-reward-v2"]) == 1
    found = [json.loads(line)["meta"]["step_rewards"] for line in out.read_text(encoding="utf-8").splitlines()]
    assert_equal(found, [tiny_rewards.dialogue_scores(folder, PROBLEM, steps) for steps in TEXTS])
