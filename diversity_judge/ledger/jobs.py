"""What is written to the ledger: each job is a part of one transaction, and somebody waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from diversity_judge.errors import RunError
from diversity_judge.files import is_running
from diversity_judge.ledger.schema import in_parts

_DEAD_AFTER_S = 60.0
"""Without a heartbeat for this long a run on another machine is taken for dead."""

REPLY_FIELDS = (
    "content", "reasoning", "finish_reason", "prompt_tokens", "completion_tokens", "cached_tokens",
    "model", "provider", "system_fingerprint", "latency_s",
)  # fmt: skip
_RECORD_FIELDS = ("key", *REPLY_FIELDS, "cost_usd", "host", "attempt", "output_limit", "created")
_INSERT_REPLY = f"INSERT INTO replies ({', '.join(_RECORD_FIELDS)}) VALUES ({', '.join('?' * len(_RECORD_FIELDS))})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last run got no reply for a key."""

    reason: str
    message: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of claiming keys: ours now, answered by another run since, or held by another living run."""

    granted: frozenset[str]
    answered: frozenset[str]
    held: frozenset[str]


class Job:
    """One thing to be written, and the future that waits for it."""

    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]
    result: Any = None

    def write(self, connection: sqlite3.Connection) -> None:
        """Do it, inside the open transaction."""
        raise NotImplementedError


class AddReply(Job):
    """A reply as it came; the last one of a judgment frees its claim."""

    def __init__(self, record: tuple[Any, ...], key: str, owner: str | None) -> None:
        self._record, self._key, self._owner = record, key, owner

    def write(self, connection: sqlite3.Connection) -> None:
        """Insert it."""
        connection.execute(_INSERT_REPLY, self._record)
        if self._owner is not None:
            connection.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (self._key, self._owner))
            connection.execute("DELETE FROM failures WHERE key = ?", (self._key,))


class AddReplies(Job):
    """Replies that came together, each the last one of its judgment: their claims are freed."""

    def __init__(self, records: list[tuple[Any, ...]], owner: str) -> None:
        self._records, self._owner = records, owner

    def write(self, connection: sqlite3.Connection) -> None:
        """Insert them."""
        keys = [(record[0],) for record in self._records]
        connection.executemany(_INSERT_REPLY, self._records)
        connection.executemany("DELETE FROM claims WHERE key = ? AND owner = ?", [(*key, self._owner) for key in keys])
        connection.executemany("DELETE FROM failures WHERE key = ?", keys)


class GiveUp(Job):
    """A judgment that ended without a score in this run."""

    def __init__(self, key: str, failure: Failure, owner: str) -> None:
        self._key, self._failure, self._owner = key, failure, owner

    def write(self, connection: sqlite3.Connection) -> None:
        """Note why, and free its claim."""
        connection.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (self._key, self._owner))
        row = (self._key, self._failure.reason, self._failure.message, self._failure.attempts, now())
        connection.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?)", row)


class ClaimKeys(Job):
    """Keys that this run wants to buy."""

    def __init__(self, keys: tuple[str, ...], newer_than: int, owner: str) -> None:
        self._keys, self._newer_than, self._owner = keys, newer_than, owner

    def write(self, connection: sqlite3.Connection) -> None:
        """Grant those that no living run holds and none has answered since the plan."""
        answered: set[str] = set()
        held: set[str] = set()
        for part, marks in in_parts(self._keys):
            sql = f"SELECT key FROM replies WHERE key IN ({marks}) AND id > ?"  # noqa: S608
            answered.update(key for (key,) in connection.execute(sql, [*part, self._newer_than]))
            claims = "SELECT key, machine, process, heartbeat FROM claims JOIN owners USING (owner)"
            sql = f"{claims} WHERE key IN ({marks}) AND owner <> ?"
            others = connection.execute(sql, [*part, self._owner]).fetchall()
            held.update(key for key, *life in others if _is_alive(*life))
        answered -= held  # A reply without a score: the run that holds the key asks again.
        granted = frozenset(self._keys) - answered - held
        connection.executemany("INSERT OR REPLACE INTO claims VALUES (?, ?)", [(key, self._owner) for key in granted])
        self.result = Claim(granted, frozenset(answered), frozenset(held))


def forget_the_dead(connection: sqlite3.Connection) -> None:
    """Remove the runs that were killed, and what they claimed: nobody else would."""
    owners = connection.execute("SELECT owner, machine, process, heartbeat FROM owners").fetchall()
    dead = [(owner,) for owner, *life in owners if not _is_alive(*life)]
    connection.executemany("DELETE FROM claims WHERE owner = ?", dead)
    connection.executemany("DELETE FROM owners WHERE owner = ?", dead)


def _is_alive(machine: object, process: object, heartbeat: object) -> bool:
    """Whether the run behind a claim still works on it; a row of a damaged ledger may hold anything, and nobody."""
    if not isinstance(process, int) or not isinstance(heartbeat, int | float):
        return False
    if time.time() - heartbeat > _DEAD_AFTER_S:
        return False
    return machine != socket.gethostname() or is_running(process)


_A_RECORDS_FAULT = (
    OverflowError, TypeError, ValueError,
    sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
)  # fmt: skip
"""What one record can be to blame for, while the others of its batch may well be written."""


def commit(connection: sqlite3.Connection, batch: list[Job]) -> None:
    """Write a batch in one transaction and wake those who wait; all of them fail if it cannot be committed.

    Where one record is at fault, the others are written all the same: they are paid for.
    """
    try:
        _write(connection, batch)
    except BaseException as error:  # Whatever it is, somebody waits for these jobs and must be woken.
        _roll_back(connection)
        if len(batch) > 1 and isinstance(error, _A_RECORDS_FAULT):
            for job in batch:
                commit(connection, [job])
        else:
            fail(batch, error)
        return
    _call_back(batch, None)


def fail(batch: list[Job], error: BaseException) -> None:
    """Wake those who wait for these jobs with the error that kept them from being written."""
    said = str(error) or type(error).__name__
    problem = RunError(f"the ledger cannot be written ({said}): mend that, then run the same command again")
    problem.__cause__ = error
    _call_back(batch, problem)


def _write(connection: sqlite3.Connection, batch: list[Job]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for job in batch:
        job.write(connection)
    connection.execute("COMMIT")


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):  # A connection that cannot even do that has committed nothing.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _call_back(batch: list[Job], problem: RunError | None) -> None:
    with contextlib.suppress(RuntimeError):  # The loop is closed: the user stopped the run, nobody waits any more.
        batch[0].loop.call_soon_threadsafe(_wake, batch, problem)


def _wake(batch: list[Job], problem: RunError | None) -> None:
    for job in batch:
        if job.done.done():
            continue
        if problem is None:
            job.done.set_result(job.result)
        else:
            job.done.set_exception(problem)


def now() -> str:
    """The time as the ledger notes it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
