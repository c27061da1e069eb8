"""Kills at random moments of a run whose host fails, resumed until it is done.

Every judgment must be there once, nothing that arrived may be lost or bought twice, and the tables must be those of a
run that nobody disturbed. Only what was in flight at a SIGKILL may be paid for again.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.attack.running import LIMIT_S, Done, Row, command, score_argv
from tests.diversity_judge.score_runs import Finished, assert_exact, started
from tests.judge_faults import Faults, storm
from tests.judge_server import JudgeServer, Record
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0", "p1"), strategies=("cold", "hot"), n=10, words=10)
FAULTS = ("429", "500", "503", "drop-before-headers", "drop-inside-body", "unparsable", "empty-content")
SHARE = 0.3
CONCURRENCY = 8
KILLS = 4
"""Kills of one run before it is left alone."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TABLES = ("scores.csv", "strategies.csv", "pairs.csv")
OPTIONS = ("--concurrency", str(CONCURRENCY), "--max-attempts", "8", "--no-heatmaps")
KEPT = ["problem_id", "strategy", "first", "second", "draw", "score", "missing", "duplicate", "key"]
"""Columns of pairs.csv that do not count attempts."""


def check_kills(folder: Path, rounds: int, seed: int = 0) -> list[Row]:
    """Some rounds, each with its own moments."""
    folder.mkdir()
    SAMPLE.write(folder / "responses.jsonl")
    rows = []
    for number in range(rounds):
        rng = random.Random(seed * 1000 + number)
        signals = [rng.choice(SIGNALS) for _ in range(KILLS)]
        name = f"round {number}: {', '.join(s.name for s in signals)}"
        rows.append(Row("kills", name, "whole", _round(folder, number, signals, rng)))
    return rows


def _round(folder: Path, number: int, signals: list[signal.Signals], rng: random.Random) -> str:
    """What is wrong at the end, or `whole`."""
    responses, run = folder / "responses.jsonl", folder / f"run{number}"
    faults = storm(FAULTS, probability=SHARE, seed=number)
    lost, faulty = 0, []
    with JudgeServer(latency=0.01, faults=faults) as server:
        argv = score_argv(responses, server.base_url, run, *OPTIONS)
        for which in signals:
            code = _kill(argv, server, which, rng.randrange(1, SAMPLE.n_pairs // KILLS))
            server.wait_until(lambda record: record.in_flight == 0, LIMIT_S)
            gone = sum(server.record.bought.values()) - n_scored(run) - lost
            allowed = CONCURRENCY if which is signal.SIGKILL else 0
            if not 0 <= gone <= allowed:
                faulty.append(f"{gone} paid replies lost by {which.name}")
            if code not in (0, -which if which is signal.SIGKILL else 130):
                faulty.append(f"{which.name} ended in {code}")
            lost += gone
        done = command(argv)
        twice = sum(server.record.bought.values()) - SAMPLE.n_pairs
        if twice != lost:
            faulty.append(f"{twice} judgments bought twice where {lost} were lost in flight")
        server.faults, undisturbed = Faults(), folder / f"undisturbed{number}"
        command(score_argv(responses, server.base_url, undisturbed, *OPTIONS))
        faulty += _compared(undisturbed, run, done)
    return "; ".join(faulty) or "whole"


def _kill(argv: list[str], server: JudgeServer, which: signal.Signals, after: int) -> int:
    """Start, send the signal when so many more judgments are sold, and wait; returns the exit code."""
    goal = sum(server.record.bought.values()) + after
    with started(argv[1:]) as process:
        server.wait_until(_sold(goal, process), LIMIT_S)
        process.send_signal(which)
        process.communicate(timeout=LIMIT_S)
    return process.returncode


def _sold(goal: int, process: subprocess.Popen[str]) -> Callable[[Record], bool]:
    return lambda record: sum(record.bought.values()) >= goal or process.poll() is not None


def n_scored(run: Path) -> int:
    """Replies with a score in the ledger, each of which was sold once."""
    query = "SELECT COUNT(*) FROM replies WHERE content LIKE '%[Final Score: _]%'"
    path = run / "ledger.sqlite"
    if not path.exists():
        return 0
    with sqlite3.connect(path) as ledger:
        (count,) = ledger.execute(query).fetchone()
    ledger.close()
    return int(count)


def _compared(undisturbed: Path, run: Path, done: Done) -> list[str]:
    """What differs from the run that nobody disturbed."""
    if done.told != "exit 0":
        return [f"the last run: {done.told}"]
    faulty = [name for name in TABLES if _table(undisturbed / name) != _table(run / name)]
    try:
        assert_exact(Finished(done.code, done.output, run), SAMPLE)
    except AssertionError:
        faulty.append("the matrices")
    return [f"{name} differs" for name in faulty]


def _table(path: Path) -> str:
    import pandas as pd

    table = pd.read_csv(path, dtype=str)
    columns = KEPT if path.name == "pairs.csv" else [c for c in table.columns if not _is_an_account(c)]
    return str(table[columns].to_csv(index=False))


def _is_an_account(column: str) -> bool:
    return any(word in column for word in ("token", "cost", "call", "repl"))
