"""A folder of outputs holds one run's outputs, or says that it is unfinished; what others put there stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj
from diversity_judge import files as whole_files
from diversity_judge.agree import main as agree
from diversity_judge.compare import main as compare
from diversity_judge.errors import InputError, RunError
from diversity_judge.runs.replacing import replacing
from diversity_judge.score import main as score
from tests.diversity_judge.run_folders import group, make_run
from tests.judge_process import REPOSITORY


class Killed(BaseException):
    """Stands for the end of the process: nothing in the program catches it."""


def write_responses(path: Path, strategies: tuple[str, ...] = ("s", "t"), problems: int = 2) -> Path:
    rows = [
        {"problem_id": f"p{p}", "strategy": strategy, "response": f"add {i} and {p} {strategy}", "correct": i > 1}
        for p in range(problems)
        for strategy in strategies
        for i in range(3)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def proxy(responses: Path, folder: Path, *more: str) -> int:
    return score([str(responses), "--judge", "proxy", "--out", str(folder), "--quiet", *more])


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def judged(folder: Path, problems: tuple[str, ...], strategies: tuple[str, ...] = ("s", "t")) -> Path:
    groups = [
        group(problem, strategy, [{"text": f"{problem} {strategy} {i}", "correct": i > 0} for i in range(3)], "why?")
        for problem in problems
        for strategy in strategies
    ]
    return make_run(folder, groups, lambda one, other: (int(str(one.sample_id)) + int(str(other.sample_id))) % 6)


def test_overwriting_removes_the_pictures_of_strategies_that_are_gone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    proxy(write_responses(tmp_path / "a.jsonl"), run)
    (run / "heatmaps" / "mine.png").write_bytes(b"a stranger's")
    (run / "notes.txt").write_text("a stranger's")
    assert proxy(write_responses(tmp_path / "a.jsonl", ("s",), 1), run, "--view", "full", "--overwrite") == 0
    pictures = {name for name in names(run) if name.startswith("heatmaps/")}
    assert pictures == {"heatmaps/mine.png", "heatmaps/p0.png"}
    assert "notes.txt" in names(run)


def test_a_run_without_pictures_leaves_none_of_an_earlier_one(tmp_path: Path) -> None:
    responses, run = write_responses(tmp_path / "a.jsonl"), tmp_path / "run"
    proxy(responses, run)
    assert proxy(responses, run, "--no-heatmaps") == 0
    assert not (run / "heatmaps").exists()


def test_a_comparison_replaces_all_of_an_earlier_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first, second = judged(tmp_path / "a", ("p1", "p2")), judged(tmp_path / "b", ("q1",), ("s",))
    assert compare([str(first), "--out", str(out), "--quiet"]) == 0
    before = names(out)
    assert {"report.html", "figures/differences.png", "heatmaps/p1.png"} <= before
    (out / "figures" / "mine.png").write_bytes(b"a stranger's")
    assert compare([str(second), "--out", str(out), "--no-report", "--quiet"]) == 0
    alone = tmp_path / "alone"
    compare([str(second), "--out", str(alone), "--no-report", "--quiet"])
    assert names(out) == names(alone) | {"figures/mine.png"}
    assert "figures/differences.png" not in names(alone), "one strategy has no differences: the test shows nothing"
    assert compare([str(second), "--out", str(out), "--no-report", "--no-figures", "--quiet"]) == 0
    compare([str(second), "--out", str(tmp_path / "bare"), "--no-report", "--no-figures", "--quiet"])
    assert names(out) == names(tmp_path / "bare") | {"figures/mine.png"}
    assert names(tmp_path / "bare") < names(alone), "nothing was drawn: the test shows nothing"


def test_a_comparison_from_before_there_was_a_list_loses_its_report(tmp_path: Path) -> None:
    out, run = tmp_path / "out", judged(tmp_path / "a", ("p1",))
    compare([str(run), "--out", str(out), "--no-figures", "--quiet"])
    record = json.loads((out / "compare.json").read_text())
    del record["files"], record["state"]
    (out / "compare.json").write_text(json.dumps(record))
    assert compare([str(run), "--out", str(out), "--no-figures", "--no-report", "--quiet"]) == 0
    assert not (out / "report.html").exists()


def test_a_report_that_no_comparison_wrote_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("a stranger's")
    options = ("--out", str(out), "--no-figures", "--no-report", "--quiet")
    assert compare([str(judged(tmp_path / "a", ("p1",))), *options]) == 0
    assert (out / "report.html").read_text() == "a stranger's"


def test_an_agreement_says_what_it_is_of(tmp_path: Path) -> None:
    one, other = judged(tmp_path / "a", ("p1",)), judged(tmp_path / "b", ("p1",))
    assert agree([str(one), str(other), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    record = json.loads((tmp_path / "out" / "agree.json").read_text())
    assert (record["state"], record["tested"]["path"]) == ("finished", str(one))
    assert names(tmp_path / "out") == {"agree.json", *record["files"]}


@pytest.mark.parametrize("listed", ["../out.csv", "a/../../out.csv", "", ".", 7, None, "\0.csv", "ledger.sqlite", "/"])
def test_a_list_cannot_name_what_no_run_writes(tmp_path: Path, listed: Any) -> None:
    folder, outside = tmp_path / "run", tmp_path / "out.csv"
    folder.mkdir()
    outside.write_text("precious")
    (folder / "ledger.sqlite").write_text("paid for")
    (folder / "old.csv").write_text("listed")
    (folder / "run.json").write_text(json.dumps({"files": [listed, str(outside), "old.csv"]}))
    with replacing(folder, {}, sure=()):
        pass
    assert outside.read_text() == "precious"
    assert names(folder) == {"run.json", "ledger.sqlite"}


def killed_at(n: int, monkeypatch: pytest.MonkeyPatch, command: Callable[[], int]) -> bool:
    """Run a command whose n-th file never appears, from 1; says whether it got that far."""
    count = 0

    def replace(path: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == n:
            raise Killed
        os.replace(path, target)
        return target

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        try:
            command()
        except Killed:
            return True
    return False


def test_a_kill_at_any_file_of_a_run_leaves_the_old_run_or_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = write_responses(tmp_path / "a.jsonl"), write_responses(tmp_path / "b.jsonl", ("u",), 1)
    for n in range(1, 100):
        run = tmp_path / f"run{n}"
        proxy(old, run)
        if not killed_at(n, monkeypatch, lambda run=run: proxy(new, run)):  # type: ignore[misc]
            break
        if n == 1:
            assert {g.strategy for g in dj.load_run(run).groups} == {"s", "t"}
        else:
            with pytest.raises(InputError, match=r"was stopped while it wrote.*same score command"):
                dj.load_run(run)
        assert proxy(new, run) == 0
        assert {g.strategy for g in dj.load_run(run).groups} == {"u"}
        assert {name for name in names(run) if name.startswith("heatmaps")} == {"heatmaps/p0.png"}
    assert n == 9, "two manifests, five tables and a picture were each cut off once"


def test_a_kill_at_any_file_of_a_comparison_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = judged(tmp_path / "a", ("p1", "p2")), judged(tmp_path / "b", ("q1",), ("s",))
    out = tmp_path / "out"
    options = ("--out", str(out), "--no-heatmaps", "--quiet")
    compare([str(first), *options])
    for n in (2, 4, 6, 8):
        assert killed_at(n, monkeypatch, lambda: compare([str(second), *options]))
        assert json.loads((out / "compare.json").read_text())["state"] == "unfinished"
    compare([str(second), *options])
    compare([str(second), "--out", str(tmp_path / "alone"), "--no-heatmaps", "--quiet"])
    assert names(out) == names(tmp_path / "alone")
    assert json.loads((out / "compare.json").read_text())["state"] == "finished"


def test_a_process_that_is_killed_while_it_draws_leaves_an_unfinished_folder(tmp_path: Path) -> None:
    responses, run = write_responses(tmp_path / "a.jsonl"), tmp_path / "run"
    script = f"""
import os
from diversity_judge.drawing import axes
from diversity_judge.score import main
write_whole = axes.write_whole
def kill(path):
    path.write_bytes(b"half a picture")
    os.kill(os.getpid(), 9)
axes.write_whole = lambda path, write: write_whole(path, kill)
main([{str(responses)!r}, "--judge", "proxy", "--out", {str(run)!r}, "--quiet"])
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, cwd=REPOSITORY, capture_output=True)
    assert ended.returncode == -9
    assert not list(run.rglob("*.png")) or all(path.name.startswith(".") for path in run.rglob("*.png"))
    assert list(run.rglob(".*.tmp.png")), "nothing was half written: the test shows nothing"
    with pytest.raises(InputError, match="was stopped while it wrote"):
        dj.load_run(run)
    assert proxy(responses, run) == 0
    assert not list(run.rglob(".*")), "what the killed process left is removed"
    assert len(dj.load_run(run).groups) == 4


def test_what_a_living_process_is_writing_stays(tmp_path: Path) -> None:
    mine = tmp_path / f".scores.{os.getpid()}.tmp.csv"
    others = [tmp_path / ".scores.x.tmp.csv", tmp_path / ".other.99999999.tmp.csv", tmp_path / ".scores.tmp.csv"]
    dead = tmp_path / ".scores.99999999.tmp.csv"
    for path in (mine, *others, dead):
        path.write_text("")
    whole_files.remove_leftovers(tmp_path / "scores.csv")
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (mine, *others)}


def test_a_disk_that_takes_nothing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(RunError, match="cannot write"), replacing(tmp_path / "run", {}, sure=()):
        raise AssertionError("the work began")


def test_a_score_is_of_the_type_that_json_knows(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot write"), replacing(tmp_path, {"cost": float("inf")}, sure=()):
        raise AssertionError("the work began")


def test_a_comparison_does_not_replace_the_pictures_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    proxy(write_responses(tmp_path / "a.jsonl"), run)
    before = {name: (run / name).read_bytes() for name in names(run)}
    assert compare([str(run), "--out", str(run), "--no-report", "--quiet"]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert "belong to run.json" in said
    assert {name: (run / name).read_bytes() for name in names(run)} == before
    assert compare([str(run), "--out", str(run), "--no-report", "--no-figures", "--quiet"]) == 0
    assert compare([str(run), "--out", str(run / "compare"), "--no-report", "--quiet"]) == 0
    (run / "mine.json").write_text("[1]")
    assert proxy(tmp_path / "a.jsonl", run) == 0
