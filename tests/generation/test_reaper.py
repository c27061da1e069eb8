"""A process that is killed takes its children with it, one that ends properly leaves them alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import psutil
else:
    psutil = pytest.importorskip("psutil")

ROOT = Path(__file__).resolve().parents[2]

PARENT = """
import subprocess, sys
from generation.engines.reaper import Reaper
child = subprocess.Popen([sys.executable, "-c",
    "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE);"
    "print(p.pid, flush=True); sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
grandchild = int(child.stdout.readline())
reaper = Reaper()
reaper.watch_children()
print(child.pid, grandchild, flush=True)
sys.stdin.readline()
reaper.close()
print("closed", flush=True)
sys.stdin.readline()
"""


def start() -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    return parent, [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_children_of_a_killed_process_are_killed() -> None:
    parent, below = start()
    # Held open here too, so that nothing ends because a pipe was closed.
    assert len(alive(below)) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    psutil.wait_procs(below, timeout=60)
    assert not alive(below)


def test_a_farewell_spares_them() -> None:
    parent, below = start()
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "closed\n"
    assert len(alive(below)) == 2
    parent.communicate("\n")
    for process in alive(below):
        process.kill()
