"""Sharpening: a model learns its own greedy solutions, the right ones, to problems that training may see."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from diversity_judge.countdown import is_solution  # noqa: E402 - torch may be missing
from examples.miniature import sharpen as sharpening  # noqa: E402
from examples.miniature.problems import is_held_out, solution_text  # noqa: E402
from examples.miniature.pulled_loss import load_to_train, rows  # noqa: E402
from examples.miniature.sharpen import Recipe, main, own_solutions, sharpen, weights_sha256  # noqa: E402
from examples.miniature.tokens import TOKEN_ID, prompt_ids  # noqa: E402
from examples.miniature.train_further import START  # noqa: E402
from tests.miniature.trainings import assert_same, weights, weights_after_a_kill  # noqa: E402

SHORT = Recipe("flat", of=weights_sha256(START), problems=40, numbers=(4,), steps=4, batch=4, warmup=2)


@dataclass(frozen=True)
class Small(Recipe):
    """A recipe that the first model can follow in seconds."""

    problems: int = 40
    numbers: tuple[int, ...] = (4,)
    batch: int = 4


@pytest.fixture(scope="module")
def model() -> Any:
    return load_to_train(START, 0.01)


def quiet() -> Console:
    return Console(file=StringIO())


def test_it_learns_right_solutions_to_training_problems_each_the_most_likely(model: Any, tmp_path: Path) -> None:
    solved = own_solutions(model, SHORT, 4, tmp_path / "solved.json", quiet())
    assert 4 <= len(solved) < 40  # the model solves about half of them
    for problem, steps in solved:
        assert not is_held_out(problem)
        assert is_solution(problem, steps)
    for problem, steps in solved[:3]:
        ids = prompt_ids(problem)
        n_prompt = len(ids)
        for _ in solution_text(problem, steps).split():
            with torch.no_grad():
                ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        assert ids[n_prompt:] == [TOKEN_ID[word] for word in solution_text(problem, steps).split()]


def test_solutions_are_kept_and_those_of_other_weights_are_refused(model: Any, tmp_path: Path) -> None:
    file = tmp_path / "solved.json"
    first = own_solutions(model, SHORT, 4, file, quiet())
    written = file.read_bytes()
    assert own_solutions(model, SHORT, 4, file, quiet()) == first
    assert file.read_bytes() == written
    with pytest.raises(SystemExit, match="another recipe"):
        own_solutions(model, replace(SHORT, of="0" * 64), 4, file, quiet())


def test_a_model_that_solves_too_little_is_refused(model: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="fewer than a step needs"):
        own_solutions(model, replace(SHORT, problems=8, batch=9), 4, tmp_path / "solved.json", quiet())


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def run(state: Path) -> Any:
        return sharpen(START, SHORT, state, quiet())

    whole = weights(run(tmp_path / "whole.pt"))
    assert_same(whole, weights_after_a_kill(sharpening, run, tmp_path / "killed.pt"))


def test_the_written_solutions_become_more_likely(model: Any, tmp_path: Path) -> None:
    recipe = replace(SHORT, steps=12, warmup=2, problems=60, batch=16)
    solved = own_solutions(model, recipe, 4, tmp_path / "solved.json", quiet())
    sharp = sharpen(START, recipe, tmp_path / "state.pt", quiet())
    tokens, labels = rows(solved)
    with torch.no_grad():
        before = model(input_ids=tokens, labels=labels, output_router_logits=False).loss
        after = sharp(input_ids=tokens, labels=labels, output_router_logits=False).loss
    assert after < 0.8 * before


def test_the_command_writes_a_checkpoint_that_says_how_it_came_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharpening, "Recipe", Small)
    out = tmp_path / "sharp"
    assert main([str(START), "--curve", "flat", "--out", str(out), "--steps", "1"]) == 0
    written = json.loads((out / "training.json").read_text(encoding="utf-8"))
    assert written["training"] == json.loads((START / "training.json").read_text(encoding="utf-8"))
    assert written["sharpening"]["of"] == weights_sha256(START)
    assert written["sharpening"]["steps"] == 1
    assert (out / "model.safetensors").is_file()
    assert (tmp_path / "sharp.pt").is_file()
