"""The miniature's step of counterfactual routes: right solutions of the shipped model's task, from file to report."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from rich.console import Console

from diversity_judge.inputs.responses import Response, write_responses
from examples.miniature import routes
from examples.miniature.plan import QUICK
from examples.miniature.problems import draw_training, solution_text
from examples.miniature.run import MODEL, MiniatureRun
from generation.prompt_formats import PromptFormat

pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")
pytest.importorskip("pyarrow")


def right_solutions() -> Iterator[Response]:
    """Of four problems, as if the model had drawn them plainly."""
    rng = random.Random(0)
    prompt = PromptFormat.load("generate_plain")
    for number, (problem, steps) in enumerate(islice(iter(lambda: draw_training(rng), None), 4)):
        meta = {
            "kind": "countdown",
            "reference": problem.text,
            "settings": {"temperature": 0.7, "top_p": 0.8, "top_k": 20},
            "prompt": {"name": prompt.file.name, "version": "1", "sha256": prompt.digest},
        }
        text = f" {solution_text(problem, steps)}"
        name = f"c{number}"
        yield Response(name, text, routes.STRATEGY, 0, problem.text, correct=True, model=str(MODEL), meta=meta)


def test_the_step_analyses_right_solutions_and_the_report_can_say_what_holds(tmp_path: Path) -> None:
    write_responses(tmp_path / "main.jsonl", right_solutions())
    assert routes.said(tmp_path) == ()
    MiniatureRun(tmp_path, MODEL, QUICK, Console(quiet=True))._counterfactual()
    folder = tmp_path / routes.FOLDER
    for name in ("summary.csv", "counterfactual.png", "counterfactual.html", "replay_summary.csv"):
        assert (folder / name).is_file()
    said = routes.said(tmp_path)
    assert any(one.claim == "confident tokens: the router is aligned with utility" for one in said)
