"""What is left of an engine's hundred lines: one cause, what to change, and the file with the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from generation.engines.engine_log import EngineLog, advice, last_cause

FAILED_START = """\
WARNING 11-25 00:03:21 [platforms/cpu.py:225] Triton is not installed. triton-cpu is expected on x86 CPUs.
(Worker pid=21) ERROR 11-25 00:03:30 [v1/executor/multiproc_executor.py:965] WorkerProc failed to start.
(Worker pid=21) ERROR 11-25 00:03:30 [v1/executor/multiproc_executor.py:965] Traceback (most recent call last):
(Worker pid=21) ERROR 11-25 00:03:30 [v1/executor/multiproc_executor.py:965]     raise ValueError(
(Worker pid=21) ERROR 11-25 00:03:30 [v1/executor/multiproc_executor.py:965] ValueError: Available memory on node 0 \
(8.18/14.21 GiB) on startup is less than desired.
(EngineCore pid=20) ERROR 11-25 00:03:31 [v1/engine/core.py:1490] EngineCore failed to start.
(EngineCore pid=20) ERROR 11-25 00:03:31 [v1/engine/core.py:1490] Exception: WorkerProc initialization failed due to \
an exception in a background process. See stack trace for root cause.
(EngineCore pid=20) Process EngineCore:
(EngineCore pid=20) Traceback (most recent call last):
(EngineCore pid=20) Exception: WorkerProc initialization failed due to an exception in a background process. See \
stack trace for root cause.
"""


def test_the_last_cause_is_the_one_that_points_to_no_other() -> None:
    cause = last_cause(FAILED_START)
    assert cause == "ValueError: Available memory on node 0 (8.18/14.21 GiB) on startup is less than desired."
    assert "--gpu-memory-utilization" in advice(cause)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory.", "torch.OutOfMemoryError: CUDA out of memory."),
        ("\x1b[0;36m(EngineCore pid=1)\x1b[0;0m OSError: no such model", "OSError: no such model"),
        ("WARNING 11-25 [x.py:1] An Error: is not one by itself", None),
        ("KeyboardInterrupt", None),
        ("", None),
    ],
)
def test_what_counts_as_a_cause(line: str, cause: str | None) -> None:
    assert last_cause(f"Traceback\n{line}\nbye\n") == cause


def test_an_error_of_this_process_is_the_cause_unless_it_points_to_the_log(tmp_path: Path) -> None:
    log = EngineLog(tmp_path / "engine.log")
    log.begin()
    log.path.write_text(FAILED_START)  # type: ignore[union-attr]
    pointing = log.failure(
        "vLLM does not start", RuntimeError("Engine core initialization failed. See root cause above.")
    )
    assert str(pointing).startswith("vLLM does not start: ValueError: Available memory on node 0")
    assert str(pointing).endswith(f"all that vLLM said is in {tmp_path / 'engine.log'}")
    own = log.failure(
        "vLLM does not start", ValueError("1 error for ModelConfig\n  no such\ndtype [type=value_error, ...]")
    )
    assert "vLLM does not start: ValueError: 1 error for ModelConfig no such dtype; see --dtype; all" in str(own)
    assert "\n" not in str(own) + str(pointing)


def test_output_of_processes_started_inside_goes_to_the_file_and_the_console_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "engine.log"
    program = f"""
import subprocess, sys
from pathlib import Path
from generation.engines.engine_log import EngineLog
log = EngineLog(Path({str(path)!r}))
log.begin()
print("before")
with log.taking_output():
    late = "import sys; sys.stdin.read(); print('late'); sys.exit('late too')"
    child = subprocess.Popen([sys.executable, "-c", late], stdin=subprocess.PIPE)
    print("inside")
print("after")
child.communicate()
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("before\nafter\n", "")
    assert sorted(path.read_text().splitlines()) == ["inside", "late", "late too"]


@pytest.mark.parametrize(("text", "keep", "left"), [("x", True, True), ("x", False, False), ("", True, False)])
def test_the_file_stays_only_where_it_has_something_to_say(tmp_path: Path, text: str, keep: bool, left: bool) -> None:
    log = EngineLog(tmp_path / "engine.log")
    log.begin()
    (tmp_path / "engine.log").write_text(text)
    log.end(keep=keep)
    assert (tmp_path / "engine.log").exists() is left


@pytest.mark.parametrize("ending", ["pass", "raise ValueError", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_the_console_comes_back_whatever_ends_the_block(tmp_path: Path, ending: str) -> None:
    """The same two files as before, no descriptor more, and no line in the wrong place."""
    path = tmp_path / "engine.log"
    program = f"""
import os, signal, sys
from pathlib import Path
from generation.engines.engine_log import EngineLog
from generation.engines.starting import start_ends_with_signals
with start_ends_with_signals():
    pass  # what this opens stays open: the helper that tidies up after killed processes
before = {{name: os.fstat(name)[:3] for name in (1, 2)}}, len(os.listdir("/dev/fd"))
log = EngineLog(Path({str(path)!r}))
sys.stdout.write("before\\n")
sys.stderr.write("before\\n")
try:
    with log.taking_output(), start_ends_with_signals():
        sys.stdout.write("inside\\n")
        {ending}
except (ValueError, KeyboardInterrupt):
    sys.stdout.write("ended\\n")
assert before == ({{name: os.fstat(name)[:3] for name in (1, 2)}}, len(os.listdir("/dev/fd")))
sys.stdout.write("after\\n")
sys.stderr.write("after\\n")
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    ended = "" if ending == "pass" else "ended\n"
    assert (done.stdout, done.stderr) == (f"before\n{ended}after\n", "before\nafter\n")
    assert path.read_text() == "inside\n"


def test_a_log_that_cannot_be_written_leaves_the_console_as_it_was(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from diversity_judge.errors import RunError
from generation.engines.engine_log import EngineLog
before = len(os.listdir("/dev/fd"))
try:
    with EngineLog(Path({str(tmp_path)!r})).taking_output():
        print("inside")
except RunError as error:
    print(error)
print(len(os.listdir("/dev/fd")) - before)
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[1:] == ["0"], done.stderr
    assert done.stdout.startswith(f"{tmp_path}: cannot write the engine's log")
