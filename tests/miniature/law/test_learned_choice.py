"""The learned rewards, against those that `generation.reward` writes when a server reads text after text."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from examples.miniature.law.learned_choice import WITHOUT_A_STEP, learned_rewards  # noqa: E402 - torch may be missing
from examples.miniature.problems import _random_path, draw, solution_text  # noqa: E402
from examples.miniature.reward_model_files import MARK_ID, TOKENIZER, RewardModel, load_reward_model  # noqa: E402
from examples.miniature.run import REWARD_MODEL, REWARD_RECIPES  # noqa: E402
from generation.reward import main  # noqa: E402
from tests.generation.fake_pooling_server import FakePoolingServer  # noqa: E402
from tests.generation.fake_server import Reply, serving  # noqa: E402

PROBLEM = "12 2 11 6 target 52"
RIGHT = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"
FORCED = "6 * 11 = 66 left 12 2 66 ; 66 / 2 = 33 left 12 33 ; 33 + 12 = 52"
WITHOUT_STEPS = ("", "  ", " ; ", ";;")


@dataclass
class OneByOne(FakePoolingServer):
    """Serves the shipped reward model: each text alone, so without padding and without anything kept."""

    model: RewardModel = field(default_factory=lambda: load_reward_model(REWARD_MODEL))

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        if path != "/pooling":
            return 404, {"error": {"message": "Not Found"}}, {}
        with torch.inference_mode():
            at_tokens = self.model(torch.tensor([body["input"]])).softmax(-1)[0].tolist()
        rows = [row for token, row in zip(body["input"], at_tokens, strict=True) if token == MARK_ID]
        return 200, {"data": [{"index": 0, "object": "pooling", "data": rows}], "model": "tiny", "usage": {}}, {}


def texts_of(rng: random.Random, n_problems: int) -> dict[str, list[str]]:
    """Right and wrong solutions of all lengths, with slips; most of them several times."""
    found = {PROBLEM: [RIGHT, FORCED, f" {RIGHT} ;", "nothing of a step", "6 * 11 = 66 <extra_0> left"]}
    for _ in range(n_problems):
        problem, steps = draw(rng, 4)
        pool = [solution_text(problem, steps)]
        pool += [solution_text(problem, path) for _ in range(8) if (path := _random_path(rng, list(problem.numbers)))]
        pool += [text[: text.rindex(";")] for text in pool] + [text.replace("+", "-", 1) for text in pool]
        found[problem.text] = [rng.choice(pool) for _ in range(24)]
    return found


def rewarded(tmp_path: Path, texts: dict[str, list[str]]) -> dict[tuple[str, str], float]:
    """Problem and text to the reward that the command writes."""
    rows = [
        {"problem_id": problem, "problem": problem, "strategy": "s", "sample_id": number, "response": text}
        for problem, own in texts.items()
        for number, text in enumerate(own)
    ]
    source, out = tmp_path / "responses.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ["--model", "tiny", "--tokenizer", str(REWARD_MODEL / TOKENIZER), "--recipe", "miniature-prm"]
    words += ["--recipes-file", str(REWARD_RECIPES), "--concurrency", "2", "--out", str(out)]
    with serving(OneByOne()) as server:
        assert main([str(source), "--base-url", server.url, *words]) == 0
    found = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    return {(row["problem"], row["response"]): row["reward"] for row in found}


def test_rewards_are_those_of_the_command(tmp_path: Path) -> None:
    texts = texts_of(random.Random(0), 6)
    expected = rewarded(tmp_path, texts)
    found = learned_rewards(texts)
    assert {problem: set(own) for problem, own in found.items()} == {name: set(own) for name, own in texts.items()}
    assert {(problem, text): reward for problem, own in found.items() for text, reward in own.items()} == pytest.approx(
        expected, abs=1e-5
    )
    assert len({round(reward, 3) for reward in expected.values()}) > 25  # the model tells texts apart


def test_texts_that_share_their_weakest_step_are_tied() -> None:
    rng = random.Random(1)
    lost = "12 - 11 = 1 left 2 6 1"  # no way leads to 52 from there
    ends = [solution_text(*draw(rng, n)) for n in (2, 3, 4) for _ in range(200)]
    found = learned_rewards(texts_of(rng, 5) | {PROBLEM: [lost, *(f"{lost} ; {end}" for end in ends)]})[PROBLEM]
    assert sum(reward == found[lost] for reward in found.values()) > 100
    assert not [reward for reward in found.values() if 0 < abs(reward / found[lost] - 1) < 1e-4]


def test_the_same_tokens_in_other_words_are_tied() -> None:
    found = learned_rewards({PROBLEM: [RIGHT, f"  {RIGHT} ; ", RIGHT.replace(" ; ", ";")]})[PROBLEM]
    assert len(found) == 3
    assert len(set(found.values())) == 1


def test_a_text_without_a_step_is_liked_less_than_any_other() -> None:
    found = learned_rewards({PROBLEM: [*WITHOUT_STEPS, "left left", RIGHT, FORCED]})[PROBLEM]
    assert {found[text] for text in WITHOUT_STEPS} == {WITHOUT_A_STEP}
    assert min(reward for text, reward in found.items() if text not in WITHOUT_STEPS) > WITHOUT_A_STEP


def test_no_texts_need_no_rewards() -> None:
    assert learned_rewards({PROBLEM: []}) == {PROBLEM: {}}
