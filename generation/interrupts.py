"""Ctrl-C, a scheduler's SIGTERM and a closed terminal's SIGHUP: one way to end, whatever the program is doing.

A terminal or a scheduler sends them to all processes of a command, so vLLM's engine core dies of it at the same moment.
What this process then meets is a dead engine, but what happened is an interruption, and it is reported as one.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, TypeVar

from diversity_judge.errors import DiversityJudgeError

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, "FrameType | None"], None]


def signals_interrupt() -> AbstractContextManager[None]:
    """A block in which each of the signals raises `KeyboardInterrupt` at once, as Ctrl-C does by itself.

    For a whole command, and for a call that holds the event loop, such as an engine's start: there nobody else would
    hear of a signal until the call is over.
    """
    return _handled_by(_raise)


def run_interruptible(coroutine: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, in which the first of the signals cancels the coroutine and the second one stops it at once.

    Raises:
        KeyboardInterrupt: it was interrupted, whatever error that led to.
    """
    watch = _Watch()
    with _handled_by(watch.on_signal):
        try:
            return asyncio.run(watch.run(coroutine))
        except (asyncio.CancelledError, DiversityJudgeError) as error:
            if watch.interruptions:
                raise KeyboardInterrupt from error
            raise


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    # Outside the main thread (a notebook's worker, say) Python lets nobody handle signals.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What is ignored stays ignored: nohup asks for that, and a shell for what it runs in the background.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def _raise(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Watch:
    """Counts interruptions and cancels the task at the first."""

    def __init__(self) -> None:
        self.interruptions = 0
        self._task: asyncio.Task[Any] | None = None

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        self._task = asyncio.current_task()
        return await coroutine

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self.interruptions += 1
        if self._task is None or self.interruptions > 1:
            raise KeyboardInterrupt
        self._task.get_loop().call_soon_threadsafe(self._task.cancel)
