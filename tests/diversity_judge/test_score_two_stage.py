"""`score --target-width`: a pilot, one decision that a killed run keeps, and the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import diversity_judge as dj
from diversity_judge.score import main
from tests.diversity_judge.score_runs import Finished, run
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0", "p1", "p2", "p3"), n=8)
PILOT, ALL = 8 * 8, 8 * 28


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return SAMPLE.write(tmp_path / "responses.jsonl")


def staged(responses: Path, server: JudgeServer, folder: Path, width: str = "0.1", *options: str) -> Finished:
    return run(responses, server, folder, "--target-width", width, "--for", "group", *options)


def decision(folder: Path) -> dict[str, int]:
    decided: dict[str, int] = json.loads((folder / "two_stage.json").read_text())["decided"]
    return decided


def test_a_wide_target_is_reached_by_the_pilot_and_says_what_it_saved(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        finished = staged(responses, server, tmp_path / "run", "0.9")
        assert len(server.calls) == PILOT
    assert finished.code == 0
    assert len(finished.pairs) == PILOT
    assert f"8 of 28 pairs a group, {PILOT} judgments instead of {ALL}" in finished.output


def test_a_narrower_target_buys_the_rest_and_no_pair_twice(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        finished = staged(responses, server, tmp_path / "run", "0.35")
        calls = len(server.calls)
    pairs = decision(tmp_path / "run")["pairs"]
    assert 8 < pairs < 28
    assert calls == len(finished.pairs) == 8 * pairs
    assert finished.manifest["two_stage"]["decided"]["pairs"] == pairs
    assert finished.manifest["this_run"]["calls"] == calls  # of both stages
    assert finished.manifest["this_run"]["reused"] == 0
    assert finished.manifest["design"]["pairs_per_group"] == pairs


def test_a_stop_between_the_stages_goes_on_with_the_same_decision(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        stopped = staged(responses, server, tmp_path / "run", "0.35", "--max-calls", str(PILOT + 5))
        assert stopped.code == 3
        decided = decision(tmp_path / "run")
        again = staged(responses, server, tmp_path / "run", "0.35")
        assert again.code == 0
        assert decision(tmp_path / "run") == decided
        assert len(server.calls) == 8 * decided["pairs"]
        third = staged(responses, server, tmp_path / "run", "0.35")
        assert len(server.calls) == 8 * decided["pairs"]
    assert third.pairs["score"].tolist() == again.pairs["score"].tolist()


def test_a_stop_within_the_pilot_decides_nothing_and_leaves_a_run(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        stopped = staged(responses, server, tmp_path / "run", "0.35", "--max-calls", "20")
        assert stopped.code == 3
        assert not (tmp_path / "run" / "two_stage.json").exists()
        assert stopped.manifest["judgments"]["wanted"] == PILOT
        assert staged(responses, server, tmp_path / "run", "0.35").code == 0


def test_another_width_is_another_decision_from_the_same_pilot(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        staged(responses, server, tmp_path / "run", "0.9")
        first = decision(tmp_path / "run")
        staged(responses, server, tmp_path / "run", "0.35")
        second = decision(tmp_path / "run")
    assert first["width_of_pilot"] == second["width_of_pilot"]
    assert first["pairs"] < second["pairs"]


def test_offline_needs_the_pilot_and_then_rebuilds(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        staged(responses, server, tmp_path / "run", "0.35", "--max-calls", "20")
        without = staged(responses, server, tmp_path / "run", "0.35", "--offline")
        assert (without.code, "of the pilot are not in the ledger" in without.output) == (2, True)
        bought = staged(responses, server, tmp_path / "run", "0.35")
        calls = len(server.calls)
        (tmp_path / "run" / "two_stage.json").unlink()
        offline = staged(responses, server, tmp_path / "run", "0.35", "--offline")
        assert len(server.calls) == calls
    assert offline.code == 0
    assert offline.pairs["score"].tolist() == bought.pairs["score"].tolist()


def test_a_dry_run_shows_the_pilot_and_then_what_was_decided(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        before = staged(responses, server, tmp_path / "run", "0.35", "--dry-run")
        assert server.calls == []
        assert "a pilot comes first" in before.output
        staged(responses, server, tmp_path / "run", "0.35", "--max-calls", str(PILOT))
        after = staged(responses, server, tmp_path / "run", "0.35", "--dry-run")
    assert f"{decision(tmp_path / 'run')['pairs']} pairs a group" in after.output


def test_the_most_that_it_can_cost_is_asked_about_before_the_pilot(
    responses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_A_DEAR_JUDGE", "k")
    judges = tmp_path / "judges.toml"
    with JudgeServer() as server:
        judges.write_text(  # All pairs would cost 224 x 0.03 = 6.72 USD, the pilot 1.92.
            f'[dear]\nmodel = "m"\nbase_url = "{server.base_url}"\napi_key_env = "KEY_OF_A_DEAR_JUDGE"\n'
            "typical_output_tokens = 1000\nprices = {input = 0.0, output = 30.0}\n"
        )
        with pytest.raises(dj.InputError, match=r"about 6\.72 USD"):
            dj.score(responses, judge="dear", judges_file=judges, target_width=0.35, for_="group", out=tmp_path / "r")
        assert server.calls == []


def test_it_needs_no_folder() -> None:
    rows = [
        {"problem_id": f"p{p}", "strategy": "a", "response": f"{p} {i} words {i * 7 % 5} and {i % 3}"}
        for p in range(4)
        for i in range(8)
    ]
    result = dj.score(rows, judge="proxy", target_width=0.9)
    assert result.manifest["two_stage"]["decided"]["pairs"] == 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--target-width", "2"], "between 0 and 1"),
        (["--target-width", "0.1", "--pairs-per-group", "9"], "leave --pairs-per-group out"),
        (
            ["--target-width", "0.1", "--for", "difference", "--strategy", "cold"],
            "two strategies on two common problems",
        ),
        (["--target-width", "0.1", "--limit", "1"], "two problems"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    options: list[str], said: str, responses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(responses), "--judge", "proxy", "--out", str(tmp_path / "run"), *options]) == 2
    assert said in capsys.readouterr().err
