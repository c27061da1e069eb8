"""Some strategies, the first problems: by the command line and from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.compare import main as compare
from diversity_judge.score import main as score

TEXTS = ("add 2 and 3", "multiply 2 by 3", "guess it is 6")


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    path = tmp_path / "responses.jsonl"
    rows = [
        {"problem_id": f"p{problem}", "strategy": strategy, "response": text}
        for problem in range(3)
        for strategy in ("token-normal", "token-high", "edt")
        for text in TEXTS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def groups(folder: Path) -> list[tuple[str, str]]:
    table = pd.read_csv(folder / "scores.csv")
    return list(zip(table["problem_id"], table["strategy"], strict=True))


def test_some_strategies_of_the_first_problems_are_scored(responses: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    chosen = ["--strategy", "edt", "token-normal", "--limit", "2"]
    assert score([str(responses), "--judge", "proxy", "--quiet", "--no-heatmaps", "--out", str(out), *chosen]) == 0
    assert groups(out) == [("p0", "token-normal"), ("p0", "edt"), ("p1", "token-normal"), ("p1", "edt")]
    assert json.loads((out / "run.json").read_text())["selection"] == {
        "strategies": ["edt", "token-normal"],
        "limit": 2,
    }


def test_python_selects_by_the_same_names(responses: Path) -> None:
    found = dj.score(responses, judge="proxy", strategies=["edt"], limit=1)
    assert isinstance(found, dj.ScoreResult)
    assert found.scores[["problem_id", "strategy"]].to_numpy().tolist() == [["p0", "edt"]]


def test_some_strategies_of_a_run_are_compared(responses: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert score([str(responses), "--judge", "proxy", "--quiet", "--no-heatmaps", "--out", str(out)]) == 0
    options = ["--strategy", "token-normal", "edt", "--no-figures", "--no-report", "--quiet"]
    assert compare([str(out), "--out", str(tmp_path / "compared"), *options]) == 0
    assert set(pd.read_csv(tmp_path / "compared" / "process.csv")["strategy"]) == {"token-normal", "edt"}
    assert dj.compare(out, strategies=("edt",)).strategies == ("edt",)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--strategy", "token-hihg"], "--strategy token-hihg: no such strategy; did you mean 'token-high'?"),
        (["--limit", "0"], "--limit must be at least 1 problem, not 0"),
    ],
)
def test_what_selects_nothing_is_refused(
    responses: Path, wrong: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score([str(responses), "--judge", "proxy", "--dry-run", *wrong]) == 2
    assert said in capsys.readouterr().err
