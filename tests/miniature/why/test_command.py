"""The whole command on a few solutions of the miniature's task: all parts leave their rows, of however few."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from rich.console import Console

from diversity_judge.inputs.responses import Response, write_responses
from examples.miniature.problems import draw_training, solution_text
from examples.miniature.train_further import START
from examples.miniature.why.__main__ import Options, explain
from examples.miniature.why.checks import KEPT
from examples.miniature.why.findings import EXPERT, HOTTER, NORMAL, read
from examples.miniature.why.sentences import FOLDER, said
from generation.prompt_formats import PromptFormat

pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")
pytest.importorskip("pyarrow")


def solved() -> Iterator[Response]:
    """Three problems, all solved by all three strategies."""
    rng, prompt = random.Random(0), PromptFormat.load("generate_plain")
    asked = {"name": prompt.file.name, "version": "1", "sha256": prompt.digest}
    for number, (problem, steps) in enumerate(islice(iter(lambda: draw_training(rng), None), 3)):
        text = f" {solution_text(problem, steps)}"
        for strategy, n in (("greedy", 1), (NORMAL, 2), (EXPERT, 2)):
            meta = {"kind": "countdown", "reference": problem.text, "prompt": asked}
            for sample in range(n):
                yield Response(
                    f"c{number}", text, strategy, sample, problem.text, correct=True, model=str(START), meta=meta
                )


def test_all_parts_are_there(tmp_path: Path) -> None:
    write_responses(tmp_path / "main.jsonl", solved())
    options = Options(run=tmp_path, responses=tmp_path / "main.jsonl", problems=3, draws=2, tokens=60)
    assert explain(options, Console(quiet=True)) == 0
    found = read(tmp_path / FOLDER)
    assert all(found.has(part) for part in ("departures", "gains", "routes", "decisions"))
    assert found("gains", "pass@n", "all").value == 0
    assert found("decisions", "temperature", "all", HOTTER).value > 0
    assert 0 <= found("decisions", "flipped", "all", EXPERT).value <= 1
    assert found("decisions", KEPT, "sampled", NORMAL).value == 1
    assert (tmp_path / FOLDER / "decisions.png").stat().st_size > 0
    assert len(said(tmp_path)) == 11
