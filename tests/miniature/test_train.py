"""Training repeats by its seed, survives a kill, and exports what vLLM and transformers load."""

from __future__ import annotations

from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from examples.miniature import train as training  # noqa: E402 - torch may be missing
from examples.miniature.optimising import IGNORED  # noqa: E402
from examples.miniature.train import Recipe, batch, export, make_model, train  # noqa: E402
from tests.miniature.trainings import assert_same, weights, weights_after_a_kill  # noqa: E402

SHORT = Recipe(steps=4, batch=4, warmup=2, threads=1)


def test_the_same_seed_makes_the_same_weights_and_a_killed_run_goes_on_to_them(tmp_path: Path) -> None:
    def run(state: Path) -> Any:
        return train(SHORT, state, Console(file=StringIO()))

    whole = weights(run(tmp_path / "whole.pt"))
    assert_same(whole, weights(run(tmp_path / "again.pt")))
    assert_same(whole, weights_after_a_kill(training, run, tmp_path / "killed.pt"))


def test_the_state_of_another_recipe_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    train(SHORT, state, Console(file=StringIO()))
    with pytest.raises(SystemExit, match="another recipe"):
        train(replace(SHORT, seed=1), state, Console(file=StringIO()))


def test_the_learning_rate_rises_and_falls() -> None:
    recipe = Recipe()
    rates = [recipe.rate_at(step) for step in range(recipe.steps)]
    assert rates.index(max(rates)) == recipe.warmup - 1
    assert max(rates) == pytest.approx(recipe.learning_rate)
    assert rates[-1] == pytest.approx(0.01 * recipe.learning_rate, rel=0.01)


def test_the_loss_looks_at_solutions_only() -> None:
    tokens, labels = batch(SHORT, 0)
    assert tokens.shape == labels.shape
    looked_at = labels != IGNORED
    assert torch.equal(labels[looked_at], tokens[looked_at])
    assert not looked_at[:, :5].any()  # the shortest prompt: three numbers, target, the number, and what is around
    assert (looked_at.sum(1) > 5).all()


def test_the_export_is_an_ordinary_checkpoint(tmp_path: Path) -> None:
    model = make_model(SHORT)
    folder = tmp_path / "model"
    export(model, asdict(SHORT), folder)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    tokens, _ = batch(SHORT, 1)
    with torch.no_grad():
        expected, found = model(input_ids=tokens).logits, loaded(input_ids=tokens).logits
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)  # two ways to add up bfloat16
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    chat = [{"role": "user", "content": "12 2 11 6 target 52"}]
    asked = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert asked == "<bos> 12 2 11 6 target 52 :"
    assert tokenizer.decode(tokenizer.encode("6 * 11 = 66 left 12 2 66", add_special_tokens=False)) == (
        "6 * 11 = 66 left 12 2 66"
    )
