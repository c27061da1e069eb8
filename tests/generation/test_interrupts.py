import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from diversity_judge.errors import RunError
from generation.interrupts import SIGNALS, run_interruptible, signals_interrupt

ROOT = Path(__file__).resolve().parents[2]


def interrupt(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


async def forever() -> None:
    await asyncio.Event().wait()


def test_a_result_is_returned_and_the_handler_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)

    async def one() -> int:
        return 1

    assert run_interruptible(one()) == 1
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_interruption_lets_the_coroutine_clean_up(number: int) -> None:
    cleaned = []

    async def work() -> None:
        try:
            interrupt(number)
            await forever()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_interruptible(work())
    assert cleaned == [True]


def test_an_error_that_follows_an_interruption_is_the_interruption() -> None:
    async def engine_died() -> None:
        interrupt()
        raise RunError("the engine died")

    with pytest.raises(KeyboardInterrupt):
        run_interruptible(engine_died())


def test_an_error_of_its_own_stays_an_error() -> None:
    async def failed() -> None:
        raise RunError("no disk")

    with pytest.raises(RunError, match="no disk"):
        run_interruptible(failed())


def test_the_second_interruption_does_not_wait() -> None:
    async def stubborn() -> None:
        interrupt()
        try:
            await forever()
        finally:
            interrupt()
            await forever()

    with pytest.raises(KeyboardInterrupt):
        run_interruptible(stubborn())


@pytest.mark.parametrize("number", SIGNALS)
def test_a_call_that_holds_the_loop_ends_at_once_and_its_coroutine_cleans_up(number: int) -> None:
    cleaned = []

    async def work() -> None:
        try:
            with signals_interrupt():
                interrupt(number)
                pytest.fail("the call went on")
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_interruptible(work())
    assert cleaned == [True]


@pytest.mark.parametrize("number", SIGNALS)
def test_outside_of_a_coroutine_each_signal_is_a_keyboard_interrupt(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        interrupt(number)
    assert signal.getsignal(number) is before


def test_what_nohup_ignores_stays_ignored() -> None:
    program = """
import os, signal
from generation.interrupts import run_interruptible, signals_interrupt
signal.signal(signal.SIGHUP, signal.SIG_IGN)
async def work():
    os.kill(os.getpid(), signal.SIGHUP)
    return "went on"
with signals_interrupt():
    os.kill(os.getpid(), signal.SIGHUP)
    print(run_interruptible(work()))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr


COMMAND = """
import asyncio, os, signal, sys
from diversity_judge.interrupts import EXIT_INTERRUPTED
from generation.interrupts import run_interruptible, signals_interrupt
first, second = (signal.Signals[name] for name in sys.argv[1:])
async def work():
    try:
        os.kill(os.getpid(), first)
        await asyncio.Event().wait()
    finally:
        print("cleaning up", flush=True)
        os.kill(os.getpid(), second)
        await asyncio.Event().wait()  # for ever, if the second one is not heard
def main(arguments):
    with signals_interrupt():
        try:
            run_interruptible(work())
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED
"""


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_signal_of_whichever_kind_ends_the_process_at_once(
    first: signal.Signals, second: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "stubborn.py").write_text(COMMAND)
    program = "from diversity_judge.command_process import run_as_process; run_as_process('stubborn')"
    done = subprocess.run(
        [sys.executable, "-c", program, first.name, second.name],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "cleaning up\n", "")
