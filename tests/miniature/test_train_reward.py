"""Training of the reward model repeats by its seed and learns; what is written is read again, with its tokens."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from diversity_judge.countdown import read_problem, read_steps  # noqa: E402 - torch may be missing
from diversity_judge.inputs.responses import Response  # noqa: E402
from examples.miniature.reward_model_files import (  # noqa: E402
    MARK,
    MARK_ID,
    TOKENIZER,
    RewardModel,
    load_reward_model,
    make_reward_model,
    marked_ids,
    step_rewards,
    text_ids,
    write_reward_model,
)
from examples.miniature.tokens import VOCABULARY  # noqa: E402
from examples.miniature.train_reward import FOLDER, IGNORED, Recipe, batch, train, with_step_rewards  # noqa: E402

SHORT = Recipe(steps=2, batch=4, warmup=1, threads=1)
PROBLEM = "12 2 11 6 target 52"
RIGHT = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"
FORCED = "6 * 11 = 66 left 12 2 66 ; 66 / 2 = 33 left 12 33 ; 33 + 12 = 52"


def test_the_same_seed_makes_the_same_weights() -> None:
    first, second = (train(SHORT, Console(file=StringIO())).state_dict() for _ in range(2))
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


def test_some_steps_lower_the_loss_of_their_own_batch() -> None:
    recipe = Recipe(steps=12, batch=16, warmup=1, threads=1, learning_rate=3e-3)
    tokens, wanted, _ = batch(recipe, 0)

    def loss(model: RewardModel) -> float:
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(model(tokens).flatten(0, 1), wanted.flatten()))

    assert loss(train(recipe, Console(file=StringIO()))) < loss(make_reward_model(recipe.seed))


def test_only_marks_have_labels() -> None:
    tokens, wanted, _ = batch(SHORT, 0)
    assert ((wanted != IGNORED) == (tokens == MARK_ID)).all()


def test_next_tokens_are_asked_for_in_true_steps_alone() -> None:
    tokens, _, following = batch(Recipe(batch=64), 0)
    asked = following != IGNORED
    assert (following[:, :-1] == tokens[:, 1:])[asked[:, :-1]].all()
    said = [" ".join(VOCABULARY[token] for token in row[row < MARK_ID]) for row in [*tokens]]
    assert any(not step.is_true for text in said for step in read_steps(text))
    for row, wanted in zip(tokens, following, strict=True):
        kept = [VOCABULARY[token] if token < MARK_ID else ";" for token in wanted[wanted != IGNORED]]
        assert all(step.is_true for step in read_steps(" ".join(kept)))
        assert len(read_steps(" ".join(kept))) == sum(
            step.is_true for step in read_steps(" ".join(VOCABULARY[t] if t < MARK_ID else ";" for t in row))
        )


def test_a_response_and_its_steps_are_the_same_tokens_in_training_and_in_use() -> None:
    assert text_ids(PROBLEM, RIGHT) == marked_ids(read_problem(PROBLEM), read_steps(RIGHT))


def test_what_is_written_is_read_again_and_its_tokenizer_makes_the_same_tokens(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    model = make_reward_model(1).eval()
    for weight in model.parameters():
        weight.data = weight.data.bfloat16().float()
    write_reward_model(model, tmp_path)
    assert step_rewards(load_reward_model(tmp_path), PROBLEM, RIGHT) == pytest.approx(
        step_rewards(model, PROBLEM, RIGHT), abs=1e-6
    )
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / TOKENIZER)
    answer = "".join(step.strip() + MARK for step in RIGHT.split(";"))
    chat = [{"role": "user", "content": PROBLEM}, {"role": "assistant", "content": answer}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=False)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == text_ids(PROBLEM, RIGHT)


def test_the_shipped_model_knows_a_solution_from_a_forced_end_and_is_small() -> None:
    model = load_reward_model(FOLDER)
    assert len(step_rewards(model, PROBLEM, RIGHT)) == 3
    assert step_rewards(model, PROBLEM, RIGHT)[-1] > step_rewards(model, PROBLEM, FORCED)[-1]
    assert (FOLDER / "model.safetensors").stat().st_size < 1_500_000
    assert json.loads((FOLDER / "config.json").read_text())["architectures"] == ["Qwen2ForProcessRewardModel"]


def test_each_response_gets_the_rewards_of_its_steps_and_keeps_the_rest() -> None:
    model = make_reward_model(2).eval()
    response = Response("p", RIGHT, problem=PROBLEM, correct=True, meta={"seed": 3})
    (found,) = with_step_rewards(model, [response])
    assert found.meta == {"seed": 3, "step_rewards": step_rewards(model, PROBLEM, RIGHT)}
    assert (found.text, found.correct) == (RIGHT, True)
