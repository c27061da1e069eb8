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

ROOT = Path(__file__).resolve().parents[2]
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


def wait_for_ever(up: str) -> int:
    Path(up).write_text(str(os.getpid()))
    threading.Event().wait()
    return 0


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


def test_stop_interrupts_what_runs(tmp_path: Path) -> None:
    apart, ended = Apart(), []
    os.mkfifo(tmp_path / "up")
    thread = threading.Thread(target=lambda: ended.append(apart.run(wait_for_ever, str(tmp_path / "up"), shown=False)))
    thread.start()
    assert (tmp_path / "up").read_text()
    apart.stop()
    thread.join()
    assert ended == [(130, "interrupted; the same command continues\n")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_parent_ends_the_child_too(tmp_path: Path, number: int) -> None:
    os.mkfifo(tmp_path / "up")
    program = f"""
from examples.miniature.apart import Apart
from generation.interrupts import signals_interrupt
from tests.miniature.test_apart import wait_for_ever
if __name__ == "__main__":
    try:
        with signals_interrupt():
            Apart().run(wait_for_ever, {str(tmp_path / "up")!r}, shown=True)
    except KeyboardInterrupt:
        print("parent interrupted", flush=True)
"""
    (tmp_path / "program.py").write_text(program)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "program.py"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    child = int((tmp_path / "up").read_text())
    parent.send_signal(number)
    # The child holds the same pipe: its end is the end of both.
    printed, _ = parent.communicate()
    assert printed == "interrupted; the same command continues\nparent interrupted\n"
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
