"""Ctrl-C, a scheduler's SIGTERM and a closed terminal's SIGHUP: three ways of saying one thing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_INTERRUPTED = 130
Handler = Callable[[int, "FrameType | None"], object]


def signals_interrupt() -> AbstractContextManager[None]:
    """A block in which each of the signals raises `KeyboardInterrupt` at once, as Ctrl-C does by itself.

    For a whole command, and for a call that holds the event loop, such as an engine's start: there nobody else would
    hear of a signal until the call is over.
    """
    return handled_by(interrupt)


@contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """A block in which the signals go to a handler; what heard them before does so again afterwards."""
    previous = hand_to(handler)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def hand_to(handler: Handler) -> dict[signal.Signals, Handler | int | None]:
    """Let a handler hear the signals from now on; returns what heard them before.

    What is ignored stays ignored: nohup asks for that, and a shell for what it runs in the background. Outside the main
    thread (a notebook's worker, say) Python lets nobody handle signals, and nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heard}


def interrupt(number: int, frame: FrameType | None) -> None:
    """The handler that raises `KeyboardInterrupt`."""
    raise KeyboardInterrupt
