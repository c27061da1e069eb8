"""What a buying session and a computing one have in common: they can be ended, and then wait for nothing."""

from __future__ import annotations

import asyncio
import contextlib

from diversity_judge.engine.tally import Ending, Tally


class Endable:
    """Work that stops when it is told to.

    Args:
        tally: Where is noted how it ended.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._stop = asyncio.Event()
        self._interrupted = asyncio.Event()

    def interrupt(self) -> None:
        """Begin nothing more; what is in flight gets a few seconds."""
        self._interrupted.set()
        self._end(Ending.INTERRUPTED, "interrupted")

    @property
    def is_interrupted(self) -> bool:
        """Whether the user has asked to stop."""
        return self._interrupted.is_set()

    def _end(self, ending: Ending, message: str) -> None:
        if ending is Ending.INTERRUPTED or self._tally.ending is Ending.DONE:
            self._tally.ending, self._tally.message = ending, message
        self._stop.set()

    async def _sleep(self, seconds: float) -> None:
        """Wait, but no longer than the work goes on."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
