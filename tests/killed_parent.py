"""A program that is signalled while its children wait for ever, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_UP = "up "
_SECONDS = 120
"""A child leaves at once; a machine may be busy."""


def wait_for_ever() -> int:
    """What a child does: say that it is there, and wait."""
    print(f"{_UP}{os.getpid()}", flush=True)
    threading.Event().wait()
    return 0


def printed_by(program: str, folder: Path, number: signal.Signals, *, children: int) -> str:
    """Signal a program once its children wait, and fail where one of them is still there after it.

    Args:
        program: Its text; the children do `wait_for_ever` and print where it does.
        folder: The text is kept here, and what is here can be imported.
        number: The signal, to the program alone.
        children: How many of them wait.

    Returns:
        What was printed after the signal.
    """
    (folder / "program.py").write_text(program)
    parent = subprocess.Popen(
        [sys.executable, folder / "program.py"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    waiting = _waiting(parent, children)
    parent.send_signal(number)
    try:
        # The children hold the same pipe: its end is the end of all.
        printed, _ = parent.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in (parent.pid, *waiting):
            os.kill(pid, signal.SIGKILL)
        parent.communicate()
        pytest.fail(f"still there after {number.name} to their parent: {waiting}")
    return printed


def _waiting(parent: subprocess.Popen[str], n: int) -> list[int]:
    assert parent.stdout is not None
    said = ""
    found: list[int] = []
    while len(found) < n:
        line = parent.stdout.readline()
        assert line, f"ended before its children waited: {said}"
        said += line
        if line.startswith(_UP):
            found.append(int(line.removeprefix(_UP)))
    return found
