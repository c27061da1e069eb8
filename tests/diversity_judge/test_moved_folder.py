"""A run folder that was copied or moved: it reads itself, and nothing that was paid for is bought again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import diversity_judge as dj
from tests.batch_server import BatchServer
from tests.diversity_judge.batching.test_batch import answer_all, batch, export
from tests.diversity_judge.reliability_runs import probe, scored
from tests.diversity_judge.score_runs import Finished, assert_exact, run
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample
from tests.planted_judge import PlantedJudge, write_responses

SAMPLE = Sample(n=4)


@pytest.fixture
def responses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Paths are typed relative to the folder where these lie."""
    monkeypatch.chdir(tmp_path)
    return SAMPLE.write(tmp_path / "r.jsonl")


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer() as running:
        yield running


def bought(server: JudgeServer) -> int:
    return sum(server.record.bought.values())


def n_stored(ledger: Path) -> int:
    """Replies in a ledger; 0 where there is none."""
    if not ledger.exists():
        return 0
    with sqlite3.connect(ledger) as stored:
        return int(stored.execute("SELECT COUNT(*) FROM replies").fetchone()[0])


def without_ledger(original: Path, copy: Path) -> Path:
    shutil.copytree(original, copy, ignore=shutil.ignore_patterns("ledger*"))
    return copy


def test_a_moved_folder_goes_on_where_it_stood(responses: Path, server: JudgeServer) -> None:
    assert run(responses, server, Path("run"), "--max-calls", "3", concurrency=1).code == 3
    Path("run").rename("moved")
    finished = run(responses, server, Path("moved"))
    assert_exact(finished, SAMPLE)
    assert set(server.record.bought.values()) == {1}
    assert bought(server) == SAMPLE.n_pairs
    assert not Path("run").exists()


def test_a_copy_without_its_ledger_is_not_bought_again(responses: Path, server: JudgeServer) -> None:
    run(responses, server, Path("run"))
    copy = without_ledger(Path("run"), Path("copy"))
    for option in ((), ("--offline",), ("--dry-run",)):
        said = run(responses, server, copy, *option)
        assert said.code == 2
        assert "run.json: the ledger of this folder, copy/ledger.sqlite, is not there" in said.output
        assert "name it with --ledger" in said.output
    assert run(responses, server, copy, "--ledger", "run/ledger.sqlite").code == 0
    assert bought(server) == SAMPLE.n_pairs, "nothing twice"
    Path("run").rename("gone")
    assert run(responses, server, copy, "--overwrite").code == 0
    assert bought(server) == 2 * SAMPLE.n_pairs, "this is what was asked for"


def test_a_judge_that_computes_may_compute_again(responses: Path) -> None:
    dj.score("r.jsonl", judge="proxy", out="run")
    copy = without_ledger(Path("run"), Path("copy"))
    assert dj.score("r.jsonl", judge="proxy", out=copy).exit_code == 0
    assert n_stored(copy / "ledger.sqlite") == n_stored(Path("run/ledger.sqlite")) > 0


def with_shared_ledger(responses: Path, server: JudgeServer) -> Finished:
    return run(responses, server, Path("run"), "--ledger", "shared/ledger.sqlite")


def test_a_ledger_elsewhere_is_followed_from_any_place(
    responses: Path, server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_shared_ledger(responses, server)
    Path("other").mkdir()
    shutil.move("run", "other/moved")
    monkeypatch.chdir("other")
    assert run(responses, server, Path("moved")).code == 0
    assert bought(server) == SAMPLE.n_pairs
    loaded = dj.load_run("moved")
    assert loaded.ledger_path == responses.parent / "shared" / "ledger.sqlite"
    assert loaded.rationale(loaded.groups[0].judgments[0]) is not None
    assert not Path("moved/ledger.sqlite").exists()


def test_a_ledger_elsewhere_that_is_gone_is_said(responses: Path, server: JudgeServer) -> None:
    with_shared_ledger(responses, server)
    Path("shared").rename("away")
    said = run(responses, server, Path("run"))
    assert said.code == 2
    assert f"{responses.parent}/shared/ledger.sqlite, is not there" in said.output
    assert run(responses, server, Path("run"), "--ledger", "away/ledger.sqlite").code == 0
    assert run(responses, server, Path("run")).code == 0, "the folder knows the new place"
    assert bought(server) == SAMPLE.n_pairs


def test_a_namesake_in_the_folder_is_not_the_ledger_that_the_run_names(responses: Path, server: JudgeServer) -> None:
    assert run(responses, server, Path("run"), "--max-calls", "2", concurrency=1).code == 3
    with_shared_ledger(responses, server)
    loaded = dj.load_run("run")
    assert loaded.ledger_path == responses.parent / "shared" / "ledger.sqlite"
    assert n_stored(Path("shared/ledger.sqlite")) == SAMPLE.n_pairs


def test_reliability_of_a_copy_reads_and_writes_the_copy(responses: Path) -> None:
    pairs = ("--pairs", "4", "--probes", "retest")
    planted = write_responses(Path("planted.jsonl"), problems=2, strategies=("s",), n=4)
    with PlantedJudge(noise=0.5) as judge:
        folder = scored(planted, judge, Path("run"))
        shutil.copytree(folder, "copy")
        bare = without_ledger(folder, Path("bare"))
        before = n_stored(folder / "ledger.sqlite")
        assert probe(Path("copy"), *pairs).code == 0
        assert n_stored(Path("copy/ledger.sqlite")) == before + 4 * 2
        judge.forget()
        refused = probe(bare, *pairs)
        assert (refused.code, len(judge.calls)) == (2, 0)
        assert "bare: its ledger bare/ledger.sqlite is not there" in refused.output
        named = probe(bare, *pairs, "--ledger", "copy/ledger.sqlite")
        assert (named.code, len(judge.calls)) == (0, 0)
    assert n_stored(folder / "ledger.sqlite") == before, "the original is as it was"


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_the_results_of_a_batch_go_into_the_folder_that_is_named(
    responses: Path, server: JudgeServer, how: str
) -> None:
    assert export(responses, Path("run"), server.base_url)[0] == 0
    if how == "moved":
        Path("run").rename("now")
    else:
        shutil.copytree("run", "now")
    answer_all(Path("now"), Path("results.jsonl"))
    assert batch("ingest", "results.jsonl", "--out", "now")[0] == 0
    assert_exact(run(responses, server, Path("now")), SAMPLE)
    assert (bought(server), n_stored(Path("run/ledger.sqlite"))) == (0, 0)


def test_a_batch_that_is_on_its_way_is_fetched_into_the_folder_that_was_moved(responses: Path) -> None:
    with BatchServer() as host:
        assert export(responses, Path("run"), host.base_url)[0] == 0
        assert batch("submit", "run")[0] == 0
        Path("run").rename("moved")
        assert "are on their way" in run(responses, host.base_url, Path("moved")).output
        host.finish()
        assert batch("fetch", "moved")[0] == 0
        assert_exact(run(responses, host.base_url, Path("moved"), "--offline"), SAMPLE)
    assert not Path("run").exists()


def test_a_batch_of_an_older_version_is_fetched_into_the_folder_that_was_moved(responses: Path) -> None:
    """Its record names the ledger as it was typed."""
    assert export(responses, Path("run"))[0] == 0
    record = Path("run/batch/batch.json")
    older = {**json.loads(record.read_text(encoding="utf-8")), "ledger": "run/ledger.sqlite"}
    record.write_text(json.dumps({name: value for name, value in older.items() if name != "ledger_place"}))
    Path("run").rename("moved")
    answer_all(Path("moved"), Path("results.jsonl"))
    assert batch("ingest", "results.jsonl", "--out", "moved")[0] == 0
    assert n_stored(Path("moved/ledger.sqlite")) == SAMPLE.n_pairs
    assert not Path("run").exists()


def test_a_batchs_ledger_elsewhere_is_followed_and_missed(responses: Path, server: JudgeServer) -> None:
    assert export(responses, Path("run"), server.base_url, "--ledger", "shared/l.sqlite")[0] == 0
    answer_all(Path("run"), Path("results.jsonl"))
    Path("run").rename("moved")
    assert batch("ingest", "results.jsonl", "--out", "moved")[0] == 0
    Path("shared").rename("away")
    code, said = batch("ingest", "results.jsonl", "--out", "moved")
    assert code == 2
    assert f"batch.json: the ledger of these calls, {responses.parent}/shared/l.sqlite, is not there" in said
    missed = run(responses, server, Path("moved"))
    assert (missed.code, "batch.json: the ledger of this folder" in missed.output) == (2, True)
    Path("away").rename("shared")
    assert_exact(run(responses, server, Path("moved")), SAMPLE)
    assert bought(server) == 0


def test_two_records_that_name_two_ledgers_are_asked_about(responses: Path, server: JudgeServer) -> None:
    run(responses, server, Path("run"), "--max-calls", "2", concurrency=1)
    assert export(responses, Path("run"), server.base_url, "--ledger", "l.sqlite")[0] == 0
    said = run(responses, server, Path("run"))
    assert said.code == 2
    assert f"run.json names run/ledger.sqlite, batch/batch.json names {responses.parent}/l.sqlite" in said.output
    assert "say with --ledger which" in said.output
    assert bought(server) == 2
