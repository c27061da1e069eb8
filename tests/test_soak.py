"""The short version of `benchmarks.soak`: every case of its tables comes as expected, and one that does not is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.attack.environment import check_environment
from benchmarks.attack.inputs import INPUTS, Input, check_inputs
from benchmarks.attack.kills import check_kills
from benchmarks.attack.replies import HOSTILE, Hostile, check_replies, good, http
from benchmarks.attack.running import Row
from benchmarks.soak import QUICK, summarise


def differing(rows: list[Row]) -> list[Row]:
    assert rows, "nothing was tried"
    return [row for row in rows if not row.is_ok]


def test_hostile_inputs_are_refused_in_a_sentence_or_read(tmp_path: Path) -> None:
    assert not differing(check_inputs(tmp_path / "inputs"))


def test_hostile_replies_cost_no_other_pair_its_score_and_do_not_end_the_run(tmp_path: Path) -> None:
    assert not differing(check_replies(tmp_path / "replies"))


def test_a_failing_environment_is_a_sentence_or_nothing(tmp_path: Path) -> None:
    assert not differing(check_environment(tmp_path / "environment", QUICK))


def test_a_run_that_is_killed_again_and_again_ends_whole(tmp_path: Path) -> None:
    assert not differing(check_kills(tmp_path / "kills", rounds=1))


def test_the_tables_hold_what_was_promised() -> None:
    assert len({case.name for case in HOSTILE}) == len(HOSTILE) >= 60
    assert len({case.name for case in INPUTS}) == len(INPUTS) >= 40


def test_what_differs_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = Hostile("a good reply", "missing: truncated", lambda call: [http(str(good(call)).encode())])
    rows = check_replies(tmp_path / "replies", (wrong,))
    rows += check_inputs(tmp_path / "inputs", [Input("no file", None), Input("a number", "7\n", "no such")])
    assert [row.is_ok for row in rows if row.case != "the other pairs of the run"] == [False] * 3
    assert summarise(rows, 0.0) == 1
    assert "4 cases in 0 s; 3 differ" in capsys.readouterr().out
