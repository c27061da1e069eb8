"""A function in a process of its own: what it is given, what it prints, how it ends, and that it never stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from diversity_judge.errors import InputError
from examples.miniature.apart import Apart
from generation.sampling.options import SampleOptions
from tests.killed_parent import ROOT, printed_by, wait_for_ever

OPTIONS = SampleOptions(
    problems="p.jsonl", model=Path("m"), strategies=["greedy"], n=3, engine_args={"max_model_len": 9}
)


def tell(options: SampleOptions, number: int) -> int:
    print(repr(options))
    print("loud", file=sys.stderr)
    os.system("echo from a child")
    return number


def refuse(options: SampleOptions) -> int:
    raise InputError(f"no model {options.model}")


def die() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


class _Large:
    def __init__(self) -> None:
        self._write = os.write  # modules are emptied before it is freed

    def __del__(self) -> None:
        self._write(1, b"freed\n")


def keep_much() -> int:
    sys.kept = _Large()  # type: ignore[attr-defined]
    print("done")
    return 0


def tell_and_wait(up: str) -> int:
    Path(up).write_text(str(os.getpid()))
    threading.Event().wait()
    return 0


PROGRAM = """
from examples.miniature.apart import Apart
from generation.interrupts import signals_interrupt
from tests.killed_parent import wait_for_ever
if __name__ == "__main__":
    try:
        with signals_interrupt():
            Apart().run(wait_for_ever, shown=True)
    except KeyboardInterrupt:
        print("parent interrupted", flush=True)
"""
WAITING = """
import sys
from diversity_judge.command import exit_code
from diversity_judge.interrupts import signals_interrupt
from tests.miniature.test_apart import tell_and_wait
with signals_interrupt():
    sys.exit(exit_code(lambda: tell_and_wait(sys.argv[1]), when_interrupted="interrupted; the same command continues"))
"""


def test_typed_options_arrive_and_all_that_is_printed_comes_back() -> None:
    code, printed = Apart().run(tell, OPTIONS, 3, shown=False)
    assert code == 3
    assert sorted(printed.splitlines()) == sorted([repr(OPTIONS), "loud", "from a child"])


def test_an_error_is_one_line_and_its_exit_code() -> None:
    assert Apart().run(refuse, OPTIONS, shown=False) == (2, "error: no model m\n")


def test_what_it_held_is_not_freed_one_by_one_at_its_end() -> None:
    """Of torch and vLLM that takes seconds."""
    assert Apart().run(keep_much, shown=False) == (0, "done\n")


def test_a_process_that_dies_is_a_failure() -> None:
    code, _ = Apart().run(die, shown=False)
    assert code == -signal.SIGKILL


@pytest.mark.parametrize("is_command", [False, True], ids=["function", "command"])
def test_stop_interrupts_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_command: bool) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    apart, up = Apart(), str(tmp_path / "up")
    ended: list[tuple[int, str]] = []
    os.mkfifo(up)

    def work() -> None:
        if is_command:
            ended.append(apart.command(["waiting", up], changes={}, shown=False))
        else:
            ended.append(apart.run(tell_and_wait, up, shown=False))

    thread = threading.Thread(target=work)
    thread.start()
    assert Path(up).read_text()
    apart.stop()
    thread.join()
    assert ended == [(130, "interrupted; the same command continues\n")]


def test_nothing_goes_on_after_the_stop() -> None:
    """A thread of several steps would go on to the next one, and the signalled process wait for it."""
    apart = Apart()
    apart.stop()
    for code, _ in (
        apart.run(wait_for_ever, shown=False),
        apart.command(["timeit", "-n", "1", "__import__('threading').Event().wait()"], changes={}, shown=False),
    ):
        assert code in (-signal.SIGTERM, 130)


def test_a_command_prints_and_ends_as_it_does_by_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["json.tool", "--no-such-option"]
    alone = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
    assert Apart().command(words, changes={}, shown=False) == (alone.returncode, alone.stderr)
    assert Apart().command(words, changes={}, shown=True) == (alone.returncode, "")
    assert capfd.readouterr().err == alone.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_parent_ends_the_child_too(tmp_path: Path, number: signal.Signals) -> None:
    printed = printed_by(PROGRAM, tmp_path, number, children=1)
    assert printed == "interrupted; the same command continues\nparent interrupted\n"


def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    printed_by(PROGRAM, tmp_path, signal.SIGKILL, children=1)
