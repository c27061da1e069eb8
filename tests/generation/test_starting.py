"""A signal while an engine starts, without an engine: what vLLM does with it is done here by a few lines."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("psutil")

from generation.engines.starting import start_ends_with_signals
from generation.interrupts import SIGNALS

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"


def deaf_child() -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", DEAF], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    return child


@pytest.fixture
def older() -> Iterator[subprocess.Popen[bytes]]:
    with deaf_child() as child:
        yield child
        child.kill()


def interrupted(start: Callable[[], None]) -> None:
    with pytest.raises(KeyboardInterrupt), start_ends_with_signals():
        start()


@pytest.mark.parametrize("number", SIGNALS)
def test_what_was_started_in_the_block_is_killed_and_nothing_else(number: int, older: subprocess.Popen[bytes]) -> None:
    before = signal.getsignal(number)
    children = []

    def start() -> None:
        children.append(deaf_child())
        os.kill(os.getpid(), number)
        pytest.fail("the start went on")

    interrupted(start)
    with children[0] as child:
        assert child.wait() == -signal.SIGKILL
    assert older.poll() is None
    assert signal.getsignal(number) is before


def test_a_library_that_swallows_interruptions_does_not_swallow_this_one() -> None:
    """As vLLM's `zmq_socket_ctx` does."""

    def start() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("the start went on")

    interrupted(start)


@pytest.mark.parametrize("after", [None, RuntimeError("a process of the engine died")])
def test_whatever_follows_a_signal_it_is_an_interruption(after: Exception | None) -> None:
    def start() -> None:
        with contextlib.suppress(BaseException):
            os.kill(os.getpid(), signal.SIGTERM)
        if after is not None:
            raise after

    interrupted(start)


def test_without_a_signal_results_and_errors_pass() -> None:
    with start_ends_with_signals(), deaf_child() as child:
        assert child.poll() is None
        child.kill()
    with pytest.raises(ValueError, match="no such model"), start_ends_with_signals():
        raise ValueError("no such model")
