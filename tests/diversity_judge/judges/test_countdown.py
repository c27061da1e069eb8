"""The exact judge: the whole command on hand-made solutions, whose matrix is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.judges.countdown import CountdownJudge
from diversity_judge.judges.make import make_judge
from diversity_judge.judges.presets import EMBEDDED, find_judge
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.score import main
from tests.diversity_judge.helpers import plan

LABEL = "exact judge of countdown solutions"

BASE = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"
SWAPPED = "11 * 6 = 66 left 12 2 66 ; 12 + 2 = 14 left 66 14 ; 66 - 14 = 52"
REORDERED = "2 + 12 = 14 left 11 6 14 ; 6 * 11 = 66 left 14 66 ; 66 - 14 = 52"
OTHER_END = "6 * 11 = 66 left 12 2 66 ; 66 - 12 = 54 left 2 54 ; 54 - 2 = 52"
OTHER_ROUTE = "12 - 2 = 10 left 11 6 10 ; 10 * 6 = 60 left 11 60 ; 60 - 11 = 49"
SAME_SIGNS = "2 * 12 = 24 left 11 6 24 ; 6 + 11 = 17 left 24 17 ; 24 - 17 = 7"
SOLUTIONS = (BASE, SWAPPED, REORDERED, OTHER_END, OTHER_ROUTE, SAME_SIGNS)

SCORES = np.array(
    [
        # base, swapped, reordered, other end (6 * 11 shared), other route, same signs
        [5, 5, 4, 2, 0, 1],
        [5, 5, 4, 2, 0, 1],
        [4, 4, 5, 2, 0, 0],
        [2, 2, 2, 5, 0, 0],
        [0, 0, 0, 0, 5, 0],
        [1, 1, 0, 0, 0, 5],
    ]
)
"""By hand, from the rules."""
DIVERSITY = 1 - (5 + 4 + 2 + 0 + 1 + 4 + 2 + 0 + 1 + 2 + 0 + 0 + 0 + 0 + 0) / (15 * 5)

UNREADABLE = "I cannot do it"


def write(path: Path, texts: Sequence[str]) -> Path:
    path.write_text("".join(json.dumps({"problem_id": "p", "response": text}) + "\n" for text in texts))
    return path


def score(path: Path, *more: str) -> int:
    return main([str(path), "--judge", "countdown", "--out", str(path.parent / "run"), "--no-heatmaps", *more])


def test_every_embedded_kind_has_its_judge() -> None:
    for kind in EMBEDDED:
        judge = make_judge(find_judge(kind), PromptTemplate.load(), sends_calls=True, deadline_s=1.0)
        assert judge.spec.is_embedded
        assert judge.spec.kind == kind


@pytest.mark.parametrize("orders", ["one", "both"])
def test_the_command_gives_the_exact_matrix_and_diversity(tmp_path: Path, orders: str) -> None:
    assert score(write(tmp_path / "responses.jsonl", SOLUTIONS), "--orders", orders) == 0
    run = dj.load_run(tmp_path / "run")
    np.testing.assert_array_equal(run.matrices["p", "default"], SCORES)
    assert run.scores["diversity"][0] == pytest.approx(DIVERSITY, abs=1e-12)
    assert run.scores["coverage"][0] == 1


def test_no_prompt_and_no_llm_are_named_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(write(tmp_path / "responses.jsonl", SOLUTIONS)) == 0
    shown = capsys.readouterr().out
    assert LABEL in shown
    assert "none (exact judge)" in shown
    assert "tokens" not in shown
    run = dj.load_run(tmp_path / "run")
    assert (run.judge, run.prompt, run.is_proxy) == (LABEL, "none (exact judge)", False)
    assert run.manifest["judge"]["kind"] == "countdown"
    assert run.manifest["prompt"] == {"label": "none (exact judge)"}


def test_the_rationale_says_what_is_shared(tmp_path: Path) -> None:
    score(write(tmp_path / "responses.jsonl", [BASE, OTHER_END]))
    run = dj.load_run(tmp_path / "run")
    said = run.rationale(run.groups[0].judgments[0])
    assert said is not None
    assert "Shared steps: 6 * 11\n" in said.content
    assert "2 + 12; 66 - 14" in said.content
    assert said.content.endswith("[Final Score: 2]")


def test_a_response_without_a_step_has_no_score_and_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Identical texts are no exception: that both say nothing does not make them the same solution.
    path = write(tmp_path / "responses.jsonl", [BASE, UNREADABLE, SWAPPED, UNREADABLE])
    assert score(path) == 3
    pairs = pd.read_csv(tmp_path / "run" / "pairs.csv")
    missing = pairs[pairs["score"].isna()]
    assert len(missing) == 5
    assert set(missing["missing"]) == {"unparsable"}
    assert set(missing["n_replies"]) == {1}, "the same texts were asked about twice"
    assert pairs["score"].dropna().tolist() == [5]
    assert "asking again changes nothing" in capsys.readouterr().out


def test_identical_solutions_are_the_same(tmp_path: Path) -> None:
    assert score(write(tmp_path / "responses.jsonl", [BASE, BASE])) == 0
    assert pd.read_csv(tmp_path / "run" / "pairs.csv")["score"].tolist() == [5]


def test_a_second_run_reads_the_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "responses.jsonl", SOLUTIONS)
    score(path)
    capsys.readouterr()
    assert score(path) == 0
    assert "15 found in the ledger" in capsys.readouterr().out


@pytest.mark.parametrize("judge", EMBEDDED)
@pytest.mark.parametrize(
    "option",
    [
        ("--model", "m"),
        ("--base-url", "http://h/v1"),
        ("--api-key-env", "KEY"),
        ("--max-tokens", "9"),
        ("--param", "seed=1"),
        ("--prompt", "process_similarity"),
    ],
)
def test_what_only_an_llm_takes_is_refused(
    tmp_path: Path, judge: str, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "responses.jsonl", SOLUTIONS)
    assert main([str(path), "--judge", judge, *option, "--out", str(tmp_path / "run")]) == 2
    assert f"--judge {judge} takes no {option[0]}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_problem_is_not_part_of_the_key() -> None:
    judge = CountdownJudge(find_judge("countdown"))
    assert judge.fingerprint(plan(["a", "b"])) == judge.fingerprint(plan(["c", "d", "e"]))
