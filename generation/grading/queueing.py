"""Responses on their way from the engine to the responses file: on disk first, then graded, then in the file.

    sampling -> put: waiting file, synced -> grader, in a thread that waits for its process -> responses file

Sampling never waits for grading, and a kill at any point loses neither a response nor, but for the last second's,
a grade: what is in the waiting file and not in the other one is graded when the file is opened again.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from generation.grading.grader import GradeCounts, Grader, GradingStoppedError
from generation.grading.rows import grade_row, problem_of
from generation.response_file import ResponseFile

Row = dict[str, Any]
"""A line of a responses file."""

_SYNC_SECONDS = 1.0
"""Grades are written when nothing waits, and this often where it always does: a sync takes milliseconds."""


PATIENCE_SECONDS = 10.0
"""Enough to grade the few responses that usually wait, for which the grading process may just be starting."""


class GradingQueue:
    """Use as an asynchronous context, in which `put` is open.

    Its normal end waits until all is graded. After an error or an interruption it waits no longer than its patience:
    what is not graded by then waits on disk for the next run.
    """

    def __init__(self, file: ResponseFile, grader: Grader, *, patience: float = PATIENCE_SECONDS) -> None:
        """What an earlier run left in the file comes first.

        Args:
            file: Where responses go.
            grader: For this queue alone.
            patience: Seconds for the responses that wait when there was an error.
        """
        self.counts = GradeCounts()
        self._file = file
        self._grader = grader
        self._patience = patience
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        for row in file.left:
            self._rows.put(row)

    @property
    def length(self) -> int:
        """How many responses wait, but for the one that is being graded."""
        return self._rows.qsize()

    async def put(self, rows: Sequence[Row]) -> None:
        """Write responses to disk; they are graded later.

        Raises:
            RunError: the disk refuses.
        """
        await asyncio.to_thread(self._file.keep, rows)
        for row in rows:
            self._rows.put(row)

    async def __aenter__(self) -> GradingQueue:
        """Begin to grade."""
        self._work = asyncio.ensure_future(asyncio.to_thread(self._grade_all))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Grade the rest, all of it or what can be graded soon.

        Raises:
            RunError: grading or writing failed, and nothing else did.
        """
        self._rows.put(None)
        try:
            # This cancels the waiting only, never the work: it must not go on to write to a file that is closed.
            await asyncio.wait([self._work], timeout=None if kind is None else self._patience)
        finally:
            if not self._work.done():
                self._grader.stop()
                await asyncio.wait([self._work])
        failure = self._work.exception()
        if failure is not None and kind is None:
            raise failure

    def _grade_all(self) -> None:
        graded: list[Row] = []
        synced = time.monotonic()
        try:
            while (row := self._rows.get()) is not None:
                problem = problem_of(row, "a response that was sampled")
                self.counts.add(grade_row(row, problem, self._grader))
                graded.append(row)
                if self._rows.empty() or time.monotonic() > synced + _SYNC_SECONDS:
                    self._file.settle(graded)
                    graded, synced = [], time.monotonic()
        except GradingStoppedError:
            pass
        finally:
            if graded:
                self._file.settle(graded)
