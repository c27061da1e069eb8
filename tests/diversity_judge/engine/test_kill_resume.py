"""A run may die at any moment: what arrived is kept, a resume repeats no more than what was in flight."""

from __future__ import annotations

import random
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.diversity_judge.score_runs import (
    Finished,
    arguments,
    assert_each_bought_once,
    assert_exact,
    run,
    started,
)
from tests.judge_faults import BEHAVIOURS, Faults, Rule, storm
from tests.judge_server import JudgeServer, Record
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0", "p1"), strategies=("s",), n=14)
CONCURRENCY = 8
END_S = 120.0
"""A bound on waiting for a process; nothing is measured by it."""


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return SAMPLE.write(tmp_path / "responses.jsonl")


def n_stored(folder: Path) -> int:
    """Replies in a ledger that nobody has open."""
    with sqlite3.connect(folder / "ledger.sqlite") as ledger:
        (count,) = ledger.execute("SELECT COUNT(*) FROM replies").fetchone()
    return int(count)


def bought_at_least(n: int) -> Callable[[Record], bool]:
    return lambda record: sum(record.bought.values()) >= n


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_random_moments_it_ends_exact_and_repeats_no_more_than_was_in_flight(
    seed: int, responses: Path, tmp_path: Path
) -> None:
    moments = sorted(random.Random(seed).sample(range(1, SAMPLE.n_pairs - 3 * CONCURRENCY), 3))
    folder = tmp_path / "run"
    with JudgeServer(latency=0.02) as server:
        argv = arguments(responses, server.base_url, folder, concurrency=CONCURRENCY)
        lost = 0
        for moment in moments:
            with started(argv) as process:
                server.wait_until(bought_at_least(moment + lost), END_S)
                process.send_signal(signal.SIGKILL)
                process.wait(END_S)
            server.wait_until(lambda record: record.in_flight == 0, END_S)
            lost_now = sum(server.record.bought.values()) - n_stored(folder) - lost
            assert 0 <= lost_now <= CONCURRENCY, "an answer that had arrived was lost"
            lost += lost_now
        finished = run(responses, server, folder, concurrency=CONCURRENCY)
        assert finished.code == 0, finished.output
        assert_exact(finished, SAMPLE)
        repeated = sum(server.record.bought.values()) - SAMPLE.n_pairs
        assert repeated == lost, "what was stored was bought again"


def test_killed_while_the_host_fails_it_still_ends_exact(responses: Path, tmp_path: Path) -> None:
    faults = storm(["429", "500", "drop-inside-body", "unparsable", "empty-content"], probability=0.6)
    folder = tmp_path / "run"
    with JudgeServer(latency=0.01, faults=faults) as server:
        argv = arguments(responses, server.base_url, folder, concurrency=CONCURRENCY)
        with started(argv) as process:
            server.wait_until(lambda record: len(record.calls) >= 60, END_S)
            process.send_signal(signal.SIGKILL)
            process.wait(END_S)
        finished = run(responses, server, folder, concurrency=CONCURRENCY)
        assert finished.code == 0, finished.output
        assert_exact(finished, SAMPLE)
        assert sum(server.record.bought.values()) - SAMPLE.n_pairs <= CONCURRENCY


def test_two_runs_on_one_ledger_share_the_work_and_buy_nothing_twice(responses: Path, tmp_path: Path) -> None:
    ledger = str(tmp_path / "shared.sqlite")
    with JudgeServer(latency=0.02) as server:
        folders = [tmp_path / "one", tmp_path / "two"]
        argvs = [arguments(responses, server.base_url, f, "--ledger", ledger, concurrency=4) for f in folders]
        with started(argvs[0]) as one, started(argvs[1]) as two:
            outputs = [process.communicate(timeout=END_S)[0] for process in (one, two)]
            codes = [one.returncode, two.returncode]
        for folder, code, output in zip(folders, codes, outputs, strict=True):
            assert code == 0, output
            assert_exact(Finished(code, output, folder), SAMPLE)
        assert_each_bought_once(server, SAMPLE)


def test_a_run_takes_over_what_a_killed_one_had_claimed(responses: Path, tmp_path: Path) -> None:
    ledger = str(tmp_path / "shared.sqlite")
    slow = Faults([Rule(BEHAVIOURS["hang"], calls=range(10, 10 + CONCURRENCY))])
    with JudgeServer(faults=slow) as server:
        argv = [
            arguments(responses, server.base_url, tmp_path / name, "--ledger", ledger, concurrency=CONCURRENCY)
            for name in ("one", "two")
        ]
        with started(argv[0]) as one:
            server.wait_until(lambda record: record.in_flight == CONCURRENCY and len(record.calls) >= 18, END_S)
            with started(argv[1]) as two:
                # All that the first has not claimed is bought by the second, which then waits for the rest.
                server.wait_until(lambda record: len(record.calls) > 18, END_S)
                one.send_signal(signal.SIGKILL)
                one.wait(END_S)
                output, _ = two.communicate(timeout=END_S)
            assert two.returncode == 0, output
        assert_exact(Finished(0, output, tmp_path / "two"), SAMPLE)
        assert_each_bought_once(server, SAMPLE)


def test_ctrl_c_lets_what_is_in_flight_end_writes_everything_and_a_resume_buys_the_rest_once(
    responses: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with JudgeServer(latency=0.3) as server:
        with started(arguments(responses, server.base_url, folder, concurrency=CONCURRENCY)) as process:
            server.wait_until(lambda record: record.in_flight == CONCURRENCY and len(record.calls) > 20, END_S)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=END_S)
        assert process.returncode == 130, output
        interrupted = Finished(130, output, folder)
        n_bought = sum(server.record.bought.values())
        assert interrupted.pairs["score"].notna().sum() == n_bought == n_stored(folder)
        assert set(interrupted.pairs["missing"].dropna()) == {"not_judged"}
        assert interrupted.manifest["ending"]["state"] == "interrupted"
        resumed = run(responses, server, folder)
        assert resumed.code == 0, resumed.output
        assert f"{n_bought} found in the ledger" in resumed.output
        assert_exact(resumed, SAMPLE)
        assert_each_bought_once(server, SAMPLE)


def test_ctrl_c_twice_stops_now_and_loses_nothing_that_arrived(responses: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    hanging = Faults([Rule(BEHAVIOURS["hang"], calls=range(20, 10_000))])
    with JudgeServer(faults=hanging) as server:
        with started(arguments(responses, server.base_url, folder, concurrency=CONCURRENCY)) as process:
            server.wait_until(lambda record: record.in_flight == CONCURRENCY and len(record.calls) == 28, END_S)
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            said = next(line for line in process.stdout if "stopping" in line)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=END_S)
        assert process.returncode == 130, said + output
        assert n_stored(folder) == sum(server.record.bought.values()) == 20
        server.faults = Faults()
        resumed = run(responses, server, folder)
        assert resumed.code == 0, resumed.output
        assert_exact(resumed, SAMPLE)
        assert_each_bought_once(server, SAMPLE)


def test_ctrl_c_does_not_wait_out_what_a_host_asks_to_wait(responses: Path, tmp_path: Path) -> None:
    busy = Faults([Rule(replace(BEHAVIOURS["429-retry-after"], retry_after=600), calls=range(10, 10_000))])
    with JudgeServer(faults=busy) as server:
        with started(arguments(responses, server.base_url, tmp_path / "run", concurrency=CONCURRENCY)) as process:
            server.wait_until(lambda record: len(record.calls) > 10 + CONCURRENCY, END_S)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=END_S)
        assert process.returncode == 130, output
        assert n_stored(tmp_path / "run") == 10


def test_a_finished_run_asks_nothing_more(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        first = run(responses, server, tmp_path / "run")
        server.forget()
        again = run(responses, server, tmp_path / "run")
        assert (first.code, again.code, len(server.calls)) == (0, 0, 0)
        assert_exact(again, SAMPLE)


def test_editing_one_response_buys_only_its_pairs_again(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        run(responses, server, tmp_path / "run")
        server.forget()
        edited = responses.read_text(encoding="utf-8").replace("the answer is 3.", "the answer is three.", 1)
        responses.write_text(edited, encoding="utf-8")
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0, finished.output
        assert len(server.calls) == SAMPLE.n - 1
        assert all("p0.s.3" in call.pair for call in server.calls)
        assert_exact(finished, SAMPLE)
