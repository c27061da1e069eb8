"""Ctrl-C, a scheduler's SIGTERM and a closed terminal's SIGHUP: one way to end, whatever the program is doing.

A terminal or a scheduler sends them to all processes of a command, so vLLM's engine core dies of it at the same moment.
What this process then meets is a dead engine, but what happened is an interruption, and it is reported as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

from diversity_judge.errors import DiversityJudgeError
from diversity_judge.interrupts import SIGNALS as SIGNALS
from diversity_judge.interrupts import handled_by
from diversity_judge.interrupts import signals_interrupt as signals_interrupt

T = TypeVar("T")


def run_interruptible(coroutine: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, in which the first of the signals cancels the coroutine and the second one stops it at once.

    Raises:
        KeyboardInterrupt: it was interrupted, whatever error that led to.
    """
    watch = _Watch()
    with handled_by(watch.on_signal):
        try:
            return asyncio.run(watch.run(coroutine))
        except (asyncio.CancelledError, DiversityJudgeError) as error:
            if watch.interruptions:
                raise KeyboardInterrupt from error
            raise


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
