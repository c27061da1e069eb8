"""What a command's process makes of its console and of its system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pytest

from tests.judge_process import REPOSITORY

ROWS = [{"problem_id": "größer", "response": text} for text in ("add 2 and 3", "multiply 2 by 3", "guess")]
COMMANDS = (
    "diversity_judge",
    "diversity_judge.score",
    "diversity_judge.compare",
    "diversity_judge.agree",
    "generation.sample",
    "generation.grade",
    "generation.routing",
    "generation.demo",
)


OLD_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
"""Without what Python itself does about it."""


@pytest.fixture
def argv(tmp_path: Path) -> list[str]:
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    options = ["--judge", "proxy", "--no-heatmaps", "--out", str(tmp_path / "run")]
    return [sys.executable, "-m", "diversity_judge.score", str(path), *options]


def run(
    argv: list[str], environment: Mapping[str, str] | None = None, stdout: IO[bytes] | int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv,
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
def test_a_console_that_knows_ascii_only_shows_what_it_can(argv: list[str], environment: dict[str, str]) -> None:
    done = run(argv, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert b"results in" in done.stdout


def test_a_reader_that_leaves_does_not_stop_the_run(argv: list[str], tmp_path: Path) -> None:
    """What `| head -1` does, at its worst: it left before the first line."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        done = run(argv, stdout=stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "run" / "run.json").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("more", [[], ["--help"], ["--dry-run"]])
def test_a_console_on_a_full_disk_is_an_error_of_one_line(argv: list[str], more: list[str]) -> None:
    with open("/dev/full", "wb") as stdout:
        done = run([*argv, *more], stdout=stdout)
    assert done.returncode == 1
    assert done.stderr == b"error: standard output can't be written to: No space left on device\n"


def test_closed_streams_are_no_files_of_the_run(argv: list[str], tmp_path: Path) -> None:
    """Descriptors 0 to 2 are free then, and the first file that is opened would get a console's text."""
    done = run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *argv])
    assert done.returncode == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert run([*argv, "--offline"]).returncode == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_that_is_not_posix_is_refused_in_a_sentence(command: str) -> None:
    code = (
        "import runpy, sys; sys.modules['fcntl'] = None; sys.platform = 'win32'; sys.argv = ['command', 'score'];"
        f" runpy.run_module({command!r}, run_name='__main__', alter_sys=True)"
    )
    done = run([sys.executable, "-c", code])
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("error: diversity_judge runs on POSIX systems only")
    assert "win32" in line


LEAVING = """
import atexit, os, sys, threading
class Large:
    def __del__(self, write=os.write):
        write(1, b"freed\\n")
kept = Large()
def main(arguments):
    threading.Thread(target=lambda: (threading.Event().wait(0.2), print("thread"))).start()
    atexit.register(lambda: print("atexit"))
    print("main")
    return 3
"""


def test_the_end_waits_for_threads_and_handlers_and_frees_nothing_one_by_one(tmp_path: Path) -> None:
    """What torch and vLLM hold takes seconds to free."""
    start = "if __name__ == '__main__':\n    from diversity_judge.command_process import run_as_process as run\n"
    (tmp_path / "leaving.py").write_text(f"{start}    run('leaving')\n{LEAVING}")
    done = run([sys.executable, "-m", "leaving"], {"PYTHONPATH": f"{REPOSITORY}:{tmp_path}"})
    assert (done.returncode, done.stderr) == (3, b"")
    assert done.stdout == b"main\nthread\natexit\n"
