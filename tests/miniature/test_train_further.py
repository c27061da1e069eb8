"""The routers' training: the batches and rates that the shipped one saw, and a killed run that goes on."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from examples.miniature import train_further as training  # noqa: E402 - torch may be missing
from examples.miniature.problems import is_held_out  # noqa: E402
from examples.miniature.train_further import Recipe, batch, train  # noqa: E402
from tests.miniature.trainings import assert_same, weights, weights_after_a_kill  # noqa: E402

SHORT = Recipe("flat", steps=4, batch=4, numbers=(4,), warmup=2, ramp=2)


def test_the_batches_are_those_that_the_shipped_router_saw() -> None:
    first = {step: batch(Recipe("flat"), step)[0][0].text for step in (0, 2, 1999)}
    assert first == {
        0: "12 10 12 5 3 5 9 target 93",
        2: "4 3 10 10 9 7 10 4 target 94",
        1999: "3 5 2 10 5 10 12 4 target 15",
    }


def test_the_rates_and_the_pull_are_those_that_the_shipped_router_saw() -> None:
    recipe = Recipe("flat")
    assert [recipe.rate_at(step) for step in (0, 1, 77, 1999)] == pytest.approx(
        [4e-05, 8e-05, 0.0019990729873718043, 4.000127182251427e-05], rel=1e-12
    )
    assert [recipe.pull_at(step) for step in (0, 50, 100, 1999)] == pytest.approx([0, 0.025, 0.05, 0.05])


def test_a_batch_is_of_one_number_of_numbers_and_never_of_held_out_problems() -> None:
    recipe = Recipe("flat", batch=30)
    batches = [batch(recipe, step) for step in range(20)]
    assert {len({len(problem.numbers) for problem, _ in solved}) for solved in batches} == {1}
    assert {len(solved[0][0].numbers) for solved in batches} == {4, 7, 8}
    assert not any(is_held_out(problem) for solved in batches for problem, _ in solved)


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def run(state: Path) -> Any:
        return train(SHORT, state, Console(file=StringIO()))

    whole = weights(run(tmp_path / "whole.pt"))
    assert_same(whole, weights_after_a_kill(training, run, tmp_path / "killed.pt"))


def test_the_state_of_another_curve_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    train(replace(SHORT, steps=1), state, Console(file=StringIO()))
    with pytest.raises(SystemExit, match="another recipe"):
        train(replace(SHORT, steps=1, curve="peaked"), state, Console(file=StringIO()))


def test_progress_says_the_loss_by_the_number_of_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SHOW_EVERY", 2)
    shown = StringIO()
    train(replace(SHORT, steps=2), tmp_path / "state.pt", Console(file=shown))
    assert "step 2/2" in shown.getvalue()
    assert "loss of 4 numbers" in shown.getvalue()
