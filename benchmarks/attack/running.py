"""Running the command under attack as a process that cannot outlive it, and the rows of the table."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.diversity_judge.score_runs import KEY, KEY_VARIABLE
from tests.judge_process import REPOSITORY

LIMIT_S = 90.0
"""A bound on waiting for one run; whatever takes longer hangs."""
_LOOK_S = 0.02
"""Between two looks at a process: at its memory, and at whether it has ended."""


@dataclass(frozen=True)
class Row:
    """One case: what it was, what should come of it, and what came."""

    part: str
    case: str
    expected: str
    seen: str

    @property
    def is_ok(self) -> bool:
        """Whether it came as expected."""
        return self.seen == self.expected


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    output: str
    peak_mb: float
    hung: bool = False

    @property
    def told(self) -> str:
        """How it ended, as the table says it: a traceback and a hang are never an end in order."""
        if self.hung:
            return "hung"
        return "traceback" if "Traceback (most recent call last)" in self.output else f"exit {self.code}"


def command(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str | None] | None = None,
    prepare: Callable[[], None] | None = None,
    stdout: int | None = None,
    limit_s: float = LIMIT_S,
) -> Done:
    """Run `python -m ...` to its end.

    Args:
        argv: The module and its arguments.
        environment: Variables that differ from this process's; None takes one away.
        prepare: Called in the new process before the command starts (limits).
        stdout: A descriptor for its standard output; None collects it.
        limit_s: Seconds after which it is killed and counts as hung.
    """
    variables = {**os.environ, KEY_VARIABLE: KEY, **(environment or {})}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *argv],
            cwd=REPOSITORY,
            env={name: value for name, value in variables.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=output if stdout is None else stdout,
            stderr=output,
            preexec_fn=prepare,  # noqa: PLW1509 - it sets limits, and takes no lock
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(limit_s, end)
        timer.start()
        peak_mb = 0.0
        while process.poll() is None:
            peak_mb = max(peak_mb, _peak_mb(process.pid))
            time.sleep(_LOOK_S)
        timer.cancel()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return Done(process.returncode, text, peak_mb, late.is_set())


def _peak_mb(process: int) -> float:
    """The most memory that a process has held so far; 0 where it has just ended.

    Not `ru_maxrss`: what the process that started it held counts there as its own.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def score_argv(responses: Path, base_url: str, folder: Path, *options: str) -> list[str]:
    """The arguments of `score` against a loopback judge, with waits of milliseconds."""
    endpoint = ["--base-url", base_url, "--model", "loopback", "--api-key-env", KEY_VARIABLE]
    return ["diversity_judge.score", str(responses), *endpoint, "--retry-wait", "0.001", "--out", str(folder), *options]
