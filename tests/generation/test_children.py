"""Children end with the process that started them, and a command among them is what `python -m` makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

from generation import children
from tests.killed_parent import ROOT, printed_by, wait_for_ever

KILLING = (signal.SIGTERM, signal.SIGKILL)
"""A scheduler's signals, in its order; Python does not hear the first one unless it is told to."""
ENDED = "interrupted\n"

POOL = """
from generation import children
from tests.killed_parent import wait_for_ever
if __name__ == "__main__":
    with children.pool(2) as pool:
        [one.result() for one in [pool.submit(wait_for_ever), pool.submit(wait_for_ever)]]
"""
SPAWNED = """
import multiprocessing
from tests.generation.test_children import watched
if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=watched).start()
"""
COMMAND = """
from diversity_judge.interrupts import signals_interrupt
from generation import children
{block}:
    children.exit_code_of(["waiting"])
"""
WAITING = """
from diversity_judge.interrupts import signals_interrupt
from tests.killed_parent import wait_for_ever
with signals_interrupt():
    try:
        wait_for_ever()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
DESCRIBED = """
import json, os, sys
main = sys.modules["__main__"]
told = [__name__, __spec__.name, main.__dict__ is globals(), main.__file__, sys.argv, sys.path[0]]
print(json.dumps(told), flush=True)
print(os.environ.get("ADDED"), file=sys.stderr)
sys.exit(int(sys.argv[-1]))
"""


def watched() -> None:
    children.end_with_parent()
    wait_for_ever()


@pytest.mark.parametrize("number", KILLING)
@pytest.mark.parametrize(("program", "n"), [(POOL, 2), (SPAWNED, 1)], ids=["pool", "process"])
def test_what_multiprocessing_started_ends_with_its_parent(
    tmp_path: Path, program: str, n: int, number: signal.Signals
) -> None:
    printed_by(program, tmp_path, number, children=n)


@pytest.mark.parametrize("number", KILLING)
def test_a_command_ends_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    assert printed_by(COMMAND.format(block="if True"), tmp_path, number, children=1) == ""


@pytest.mark.parametrize("number", KILLING)
def test_the_pool_of_a_command_ends_with_the_parent_of_the_command(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "waiting.py").write_text(POOL)
    assert "Traceback" not in printed_by(COMMAND.format(block="if True"), tmp_path, number, children=2)


def test_a_command_is_told_of_an_interruption(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    printed = printed_by(COMMAND.format(block="with signals_interrupt()"), tmp_path, signal.SIGTERM, children=1)
    assert printed.startswith(ENDED)
    assert printed.endswith("KeyboardInterrupt\n")


def test_an_error_in_the_block_of_a_pool_waits_for_no_result() -> None:
    def interrupted() -> None:
        with children.pool(1) as pool:
            submitted.append(pool.submit(wait_for_ever))
            raise KeyboardInterrupt

    submitted: list[Future[int]] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert submitted[0].done()


def test_a_command_is_what_python_makes_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "described"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("__main__", "told"):
        (package / f"{name}.py").write_text(DESCRIBED)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    for module in ("described", "described.told"):
        words = [module, "a b", "7"]
        plain = subprocess.run(
            [sys.executable, "-m", *words], env=os.environ | {"ADDED": "x"}, capture_output=True, check=False
        )
        with (
            (tmp_path / "output").open("wb") as output,
            children.command(words, changes={"ADDED": "x"}, output=output) as process,
        ):
            assert process.wait() == plain.returncode == 7
        assert (tmp_path / "output").read_bytes() == plain.stdout + plain.stderr
