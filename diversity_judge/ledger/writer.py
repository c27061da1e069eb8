"""The one thread that writes: it commits what has arrived since its last commit in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import socket
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from diversity_judge.ledger.jobs import Job, commit, fail, forget_the_dead
from diversity_judge.ledger.schema import connect

_HEARTBEAT_S = 5.0
_COMMITS_AT_ONCE = 1000


class Writer:
    """Takes jobs from an event loop and wakes those who wait for them once they are on disk.

    Args:
        path: Of the ledger.
        owner: The name under which this run claims keys.
    """

    def __init__(self, path: Path, owner: str) -> None:
        self._path = path
        self._owner = owner
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._in_hand: list[Job] = []
        self._is_closing = False

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """Queue a job; the future ends when it is committed, with what the job found."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()
        job.loop = asyncio.get_running_loop()
        job.done = job.loop.create_future()
        self._jobs.put(job)
        return job.done

    def close(self) -> None:
        """Commit what is queued and give back the claims."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
            self._is_closing = False

    def _run(self) -> None:
        try:
            self._write()
        except BaseException as error:  # Nobody may wait for ever for a thread that has ended.
            self._refuse(error)

    def _refuse(self, error: BaseException) -> None:
        """Fail everything that is asked for until the end: this thread cannot write any more."""
        waiting = self._in_hand
        while True:
            if waiting:
                fail(waiting, error)
            if self._is_closing:
                return
            waiting = self._next_batch()

    def _write(self) -> None:
        connection = connect(self._path)
        try:
            with contextlib.suppress(sqlite3.Error, TypeError):  # A row of a damaged ledger may hold anything.
                forget_the_dead(connection)
            self._show_life(connection)
            heartbeat = time.monotonic()
            while not self._is_closing:
                self._in_hand = self._next_batch()
                if self._in_hand:
                    commit(connection, self._in_hand)
                self._in_hand = []
                if time.monotonic() - heartbeat >= _HEARTBEAT_S:
                    heartbeat = time.monotonic()
                    self._show_life(connection)
            _best_effort(connection, "DELETE FROM claims WHERE owner = ?", (self._owner,))
            _best_effort(connection, "DELETE FROM owners WHERE owner = ?", (self._owner,))
        finally:
            connection.close()

    def _show_life(self, connection: sqlite3.Connection) -> None:
        """Say that this run lives; again, where another one took it for dead."""
        me = (self._owner, socket.gethostname(), os.getpid(), time.time())
        _best_effort(connection, "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?)", me)

    def _next_batch(self) -> list[Job]:
        """Wait for a job (or the next heartbeat), and take all others that are there."""
        batch: list[Job] = []
        try:
            job = self._jobs.get(timeout=_HEARTBEAT_S)
            while job is not None:
                batch.append(job)
                if len(batch) >= _COMMITS_AT_ONCE:
                    return batch
                job = self._jobs.get_nowait()
        except queue.Empty:
            return batch
        self._is_closing = True
        return batch


def _best_effort(connection: sqlite3.Connection, sql: str, row: tuple[Any, ...]) -> None:
    """Bookkeeping whose loss costs nothing but a wait: never a reason to end a run."""
    try:
        connection.execute(sql, row)
    except sqlite3.Error:
        return
