"""The shortened grid through real vLLM, as a user would run it: one router, four settings of Expert-Sample."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from diversity_judge.inputs.reading import read_responses
from diversity_judge.measures.outcomes import Outcome, best_of_n
from diversity_judge.score import score
from examples.miniature.law.plan import QUICK
from examples.miniature.law.tables import OUTCOMES, read_numbers, read_outcomes
from examples.miniature.verifier import with_rewards

pytestmark = [pytest.mark.vllm, pytest.mark.usefixtures("vllm_with_plugin")]

PART = "miniature/four"


def grid(folder: Path) -> subprocess.CompletedProcess[str]:
    words = ("-m", "examples.miniature.law", "--quick", "--only", PART, "--out", str(folder))
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("law")
    done = grid(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.mark.timeout(500)
def test_every_cell_is_there_and_the_law_is_fitted(finished: Path) -> None:
    (part,) = (part for part in QUICK.parts if part.name == PART)
    outcomes, numbers = read_outcomes(finished), read_numbers(finished)
    assert {(cell.name, part.problems) for cell in part.cells} == set(
        outcomes.groupby("strategy").problem_id.nunique().items()
    )
    assert {(cell.temperature, cell.setting) for cell in part.cells if cell.temperature} == set(
        zip(numbers.temperature, numbers.setting, strict=True)
    )
    assert (numbers.new_share > 0).equals(numbers.setting != "")
    for name in ("effects.csv", "law.csv", "frontier.csv"):
        assert len(pd.read_csv(finished / name))


def test_outcomes_are_those_of_the_projects_own_functions(finished: Path) -> None:
    groups = read_responses(finished / "parts" / PART / "responses.jsonl").groups
    scores = score([r for group in groups if group.n_responses > 1 for r in group.responses], judge="countdown").scores
    judged = scores.set_index(["problem_id", "strategy"]).diversity
    found = {(row.problem_id, row.strategy): row for row in read_outcomes(finished).itertuples()}
    assert len(found) == len(groups)
    assert read_outcomes(finished).best_of_n_learned.between(0, 1).all()
    for group in groups:
        row = found[group.problem_id, group.strategy]
        assert row.n_right == sum(bool(r.correct) for r in group.responses)
        chosen = best_of_n(replace(group, responses=tuple(with_rewards(group.responses))))
        assert isinstance(chosen, Outcome)
        assert row.best_of_n == pytest.approx(chosen.value)
        if group.n_responses > 1:
            assert row.diversity == pytest.approx(judged[group.problem_id, group.strategy], nan_ok=True)


def test_the_same_command_again_changes_no_table(finished: Path) -> None:
    before = (finished / OUTCOMES).read_text(encoding="utf-8")
    done = grid(finished)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "responses are there" in done.stdout
    assert (finished / OUTCOMES).read_text(encoding="utf-8") == before
