"""An environment that fails: full disks, few descriptors, folders that cannot be written, consoles, proxies, clocks."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.attack.running import Done, Row, command, score_argv
from tests.diversity_judge.score_runs import Finished, assert_each_bought_once, assert_exact
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0",), strategies=("s",), n=8, words=10)
NOBODY_LISTENS = "http://127.0.0.1:9"
EXACT, ONE_LINE = "exact", "exit 1, one line; exact when it is over"
NO_LEDGER = ONE_LINE.replace("exit 1", "exit 2")

JUMPING_CLOCK = """
import itertools, time
real, looks = time.time, itertools.count()
time.time = lambda: real() + (-1) ** (next(looks) // 7) * 86_400
"""
"""A sitecustomize: the wall clock goes a day back and forth."""

VARIABLES: Mapping[str, Mapping[str, str | None]] = {
    "no HOME": {"HOME": None, "XDG_CACHE_HOME": None, "MPLCONFIGDIR": None},
    "HOME that is not there": {"HOME": "/nonexistent", "MPLCONFIGDIR": None},
    "LANG=C": {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "an ASCII console": {"PYTHONIOENCODING": "ascii"},
    "a locale that is not there": {"LC_ALL": "xx_YY.UTF-8"},
    "no variable but the path": dict.fromkeys(("HOME", "LANG", "LC_ALL", "TERM", "USER", "SHELL", "TMPDIR")),
    "http_proxy": {"http_proxy": NOBODY_LISTENS, "HTTP_PROXY": NOBODY_LISTENS},
    "ALL_PROXY": {"ALL_PROXY": NOBODY_LISTENS, "all_proxy": NOBODY_LISTENS},
    "a proxy that is no address": {"ALL_PROXY": "klingon://[", "http_proxy": "klingon://["},
    "a terminal of no kind": {"TERM": "dumb", "COLUMNS": "0"},
    "a console of one column": {"COLUMNS": "1", "LINES": "1"},
    "warnings on": {"PYTHONWARNINGS": "default", "PYTHONDEVMODE": "1"},
}
"""What must change nothing."""


def check_environment(folder: Path, names: frozenset[str] | None = None) -> list[Row]:
    """All cases, or those of these names."""
    folder.mkdir()
    cases: dict[str, tuple[str, Callable[[Path], str]]] = {
        **{name: (EXACT, _with_variables(variables)) for name, variables in VARIABLES.items()},
        "a clock that jumps by days": (EXACT, _jumping_clock),
        "64 descriptors, 256 calls at a time": (EXACT, _few_descriptors),
        "a disk that is full at 40 kB a file": (ONE_LINE, _small_files(40_000, 1)),
        "a disk that is full at 2 kB a file": (NO_LEDGER, _small_files(2_000, 2)),
        "standard output on a full disk": ("exit 1, one line", _full_console),
        "a reader that leaves": (EXACT, _left_alone),
        "a run folder that cannot be made": ("exit 1 or 2, one line", _no_folder),
        "a file where the run folder should be": ("exit 1 or 2, one line", _file_for_folder),
        "a folder where the ledger should be": ("exit 1 or 2, one line", _folder_for_ledger),
        "a ledger that is none": ("exit 1 or 2, one line", _foreign_ledger),
        "a certificate file that is not there": ("exit 2, one line", _no_certificates),
        "nobody listens": ("exit 1, one line", _nobody),
        "a current folder that was removed": (EXACT, _no_current_folder),
    }
    rows = []
    for number, (name, (expected, run)) in enumerate(cases.items()):
        if names is None or name in names:
            place = folder / str(number)
            place.mkdir()
            rows.append(Row("environment", name, expected, run(place)))
    return rows


# --- what came of it ------------------------------------------------------------------------------


@contextmanager
def _judged(place: Path) -> Iterator[tuple[JudgeServer, list[str]]]:
    responses = SAMPLE.write(place / "responses.jsonl")
    with JudgeServer() as server:
        yield server, score_argv(responses, server.base_url, place / "run", "--max-attempts", "3")


def _exact(done: Done, place: Path, server: JudgeServer) -> str:
    if done.told != "exit 0":
        return f"{done.told}: {done.output.strip()[-100:]}"
    try:
        assert_exact(Finished(done.code, done.output, place / "run"), SAMPLE)
        assert_each_bought_once(server, SAMPLE)
    except AssertionError as error:
        return f"not exact: {str(error)[:80]}"
    return EXACT


def _one_line(done: Done, *codes: int) -> str:
    """`exit 1, one line`, or what it was instead."""
    errors = [line for line in done.output.splitlines() if line.startswith(("error: ", "stopped: "))]
    if done.told in [f"exit {code}" for code in codes] and len(errors) == 1:
        return f"exit {' or '.join(map(str, codes))}, one line"
    return f"{done.told}: {done.output.strip()[-100:]}"


# --- the cases ------------------------------------------------------------------------------------


def _with_variables(variables: Mapping[str, str | None]) -> Callable[[Path], str]:
    def run(place: Path) -> str:
        with _judged(place) as (server, argv):
            return _exact(command(argv, environment=variables), place, server)

    return run


def _jumping_clock(place: Path) -> str:
    (place / "sitecustomize.py").write_text(JUMPING_CLOCK, encoding="utf-8")
    path = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    return _with_variables({"PYTHONPATH": path})(place)


def _few_descriptors(place: Path) -> str:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    with _judged(place) as (server, argv):
        server.latency = 0.05
        return _exact(command([*argv, "--concurrency", "256"], prepare=limit), place, server)


def _small_files(n_bytes: int, code: int) -> Callable[[Path], str]:
    """A limit on a file's size fails as a full disk does, at a place that can be chosen."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    def run(place: Path) -> str:
        with _judged(place) as (server, argv):
            full = _one_line(command(argv, prepare=limit), code)
            bought = dict(server.record.bought)
            again = command(argv)
            try:
                assert_exact(Finished(again.code, again.output, place / "run"), SAMPLE)
            except (AssertionError, OSError):
                return f"{full}; not exact when it is over: {again.output.strip()[-100:]}"
            # What had arrived while nothing could be written is the one thing that may be paid for again.
            if sum(server.record.bought.values()) - SAMPLE.n_pairs > len(bought):
                return f"{full}; {sum(server.record.bought.values())} bought"
            return f"{full}; exact when it is over"

    return run


def _full_console(place: Path) -> str:
    with _judged(place) as (_, argv), Path("/dev/full").open("wb") as full:
        return _one_line(command(argv, stdout=full.fileno()), 1)


def _left_alone(place: Path) -> str:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with _judged(place) as (server, argv):
            return _exact(command(argv, stdout=writer), place, server)
    finally:
        os.close(writer)


def _no_folder(place: Path) -> str:
    with _judged(place) as (_, argv):
        return _either(command([*argv, "--out", "/proc/diversity_judge/run"]))


def _file_for_folder(place: Path) -> str:
    (place / "run").write_text("mine\n", encoding="utf-8")
    with _judged(place) as (_, argv):
        return _either(command(argv))


def _folder_for_ledger(place: Path) -> str:
    with _judged(place) as (_, argv):
        return _either(command([*argv, "--ledger", str(place)]))


def _foreign_ledger(place: Path) -> str:
    (place / "notes.txt").write_text("these are my notes, no database\n" * 200, encoding="utf-8")
    with _judged(place) as (_, argv):
        said = _either(command([*argv, "--ledger", str(place / "notes.txt")]))
    kept = (place / "notes.txt").read_text(encoding="utf-8").startswith("these are my notes")
    return said if kept else "the file was changed"


def _no_certificates(place: Path) -> str:
    with _judged(place) as (_, argv):
        return _one_line(command(argv, environment={"SSL_CERT_FILE": "/nonexistent.pem"}), 2)


def _nobody(place: Path) -> str:
    responses = SAMPLE.write(place / "responses.jsonl")
    return _one_line(command(score_argv(responses, f"{NOBODY_LISTENS}/v1", place / "run", "--max-attempts", "2")), 1)


def _no_current_folder(place: Path) -> str:
    gone = place / "gone"
    gone.mkdir()

    def leave() -> None:
        os.chdir(gone)
        gone.rmdir()

    root = str(Path(__file__).resolve().parents[2])
    with _judged(place) as (server, argv):
        return _exact(command(argv, prepare=leave, environment={"PYTHONPATH": root}), place, server)


def _either(done: Done) -> str:
    if done.told in ("exit 1", "exit 2") and done.output.count("error: ") == 1:
        return "exit 1 or 2, one line"
    return f"{done.told}: {done.output.strip()[-100:]}"
