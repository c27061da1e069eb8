"""A process that is killed takes its engine's processes with it, one that ends properly leaves them alone."""

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
import os, subprocess, sys
from generation.engines.reaper import Reaper
older = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
reaper = Reaper()
with reaper.watching():
    child = subprocess.Popen([sys.executable, "-c",
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE);"
        "print(p.pid, flush=True); sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    grandchild = int(child.stdout.readline())
    if sys.argv[1] == "starts":
        print(older.pid, child.pid, grandchild, flush=True)
        sys.stdin.readline()
assert not [name for name in os.environ if "ENGINE_OF" in name]
print(older.pid, child.pid, grandchild, flush=True)
sys.stdin.readline()
reaper.close()
print("closed", flush=True)
sys.stdin.readline()
"""


def start(phase: str) -> tuple[subprocess.Popen[str], psutil.Process, list[psutil.Process]]:
    """The parent, a child of it that is none of the engine's, and two that are."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, phase],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    older, *below = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    return parent, older, below


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("phase", ["starts", "started"])
def test_children_of_a_killed_process_are_killed(phase: str) -> None:
    """Also of one that was killed before it could tell anybody which they are."""
    parent, _, below = start(phase)
    # Their standard input stays open in a process that lives, so that nothing ends because a pipe was closed.
    held = [os.open(f"/proc/{process.pid}/fd/0", os.O_WRONLY) for process in below] if Path("/proc").is_dir() else []
    assert len(alive(below)) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    psutil.wait_procs(below, timeout=60)
    assert not alive(below)
    for descriptor in held:
        os.close(descriptor)


def test_what_the_engine_has_not_started_is_not_killed() -> None:
    parent, older, below = start("started")
    held = os.open(f"/proc/{older.pid}/fd/0", os.O_WRONLY)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    psutil.wait_procs(below, timeout=60)
    assert alive([older])
    os.close(held)
    older.wait(60)


def test_a_farewell_spares_them() -> None:
    parent, _, below = start("started")
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "closed\n"
    assert len(alive(below)) == 2
    parent.communicate("\n")
    for process in alive(below):
        process.kill()
