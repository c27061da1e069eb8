"""`score` with a judge that costs something: a bill above the sum needs a yes, and nothing is sent before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj
from tests.diversity_judge.score_runs import KEY, KEY_VARIABLE
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample


@pytest.fixture
def judges(tmp_path: Path) -> Path:
    """30 pairs at 1 USD a reply."""
    path = tmp_path / "judges.toml"
    path.write_text(
        '[dear]\nmodel = "loopback"\nbase_url = "{url}"\n'
        f'api_key_env = "{KEY_VARIABLE}"\ntypical_output_tokens = 1000\n'
        "prices = {input = 0.0, output = 1000.0}\n"
    )
    return path


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return Sample(problems=("p0",), n=6).write(tmp_path / "responses.jsonl")


def at(judges: Path, server: JudgeServer) -> Path:
    judges.write_text(judges.read_text().replace("{url}", server.base_url))
    return judges


def test_a_bill_above_the_sum_is_not_bought_unasked(
    judges: Path, responses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with JudgeServer() as server:
        asked: Any = {"judge": "dear", "judges_file": at(judges, server), "out": tmp_path / "run", "heatmaps": False}
        with pytest.raises(dj.InputError, match=r"about 30\.00 USD, more than 5 USD"):
            dj.score(responses, **asked)
        assert server.calls == []
        bill = dj.score(responses, **asked, dry_run=True)
        assert bill.cost_usd == pytest.approx(30)
        result = dj.score(responses, **asked, yes=True, retry_wait=0.001)
        assert result.tally.scored == 30


def test_the_command_says_it_with_exit_code_2(
    judges: Path, responses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from diversity_judge.score import main

    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with JudgeServer() as server:
        file = at(judges, server)
        code = main([str(responses), "--judge", "dear", "--judges-file", str(file), "--out", str(tmp_path / "run")])
        assert server.calls == []
    assert code == 2
    assert "--yes" in capsys.readouterr().err


def test_cheap_hours_that_are_not_known_are_not_waited_for(responses: Path) -> None:
    with pytest.raises(dj.InputError, match="no cheaper hours are known"):
        dj.score(responses, when="cheap")
