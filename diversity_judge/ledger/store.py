"""The ledger as the rest of the program sees it: replies by key, and what is worked on by whom."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diversity_judge.errors import DiversityJudgeError, InputError, RunError
from diversity_judge.judges.base import Reply
from diversity_judge.ledger.jobs import REPLY_FIELDS, AddReplies, AddReply, Claim, ClaimKeys, Failure, GiveUp, Job, now
from diversity_judge.ledger.reader import reading
from diversity_judge.ledger.room import is_out_of_room
from diversity_judge.ledger.schema import LEDGER_ERRORS, connect, in_parts, prepare
from diversity_judge.ledger.writer import Writer
from diversity_judge.text_safety import printable

_WHAT_TO_DO = (
    "take a copy that is whole, save what can be saved with SQLite's `.recover`, or name another with --ledger"
)
_MAKE_ROOM = "the disk is full, or a quota or ulimit -f is reached: make room, or name another place with --ledger"
_LONGEST = 200
"""Of what is quoted of an error: SQLite's may hold a whole reply."""
_CACHE_KIB = 16 * 1024
"""SQLite's own 2 MiB hold the index of 20,000 keys; with more it is read again for every reply."""


class StoredReply(NamedTuple):
    """What is needed of a stored reply to score it and to account for it. `reasoning` is read only on demand."""

    key: str
    id: int
    content: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    cost_usd: float | None
    output_limit: int | None


_AS_REPLY = partial(tuple.__new__, StoredReply)
"""Of a row that has its fields, as the query names them: three times as fast as `StoredReply._make`."""


class Origin(NamedTuple):
    """Who gave a stored reply, as the host said it."""

    id: int
    model: str | None
    host: str | None
    provider: str | None
    system_fingerprint: str | None
    created: str


_TEXT, _ID, _NUMBER = frozenset({str}), frozenset({int}), frozenset({int, NoneType})
_TYPES: tuple[frozenset[type], ...] = (
    _TEXT, _ID, _TEXT, _TEXT | {NoneType}, _NUMBER, _NUMBER, _NUMBER, _NUMBER | {float}, _NUMBER,
)  # fmt: skip
"""Of the fields of a stored reply."""


class Ledger:
    """A SQLite file of replies. Open it with `with`; the writer thread runs while it is open.

    Args:
        path: The file; made when it does not exist, unless it is only read.
        read_only: Nothing will be bought, so that the ledger may lie where nothing can be written.

    Raises:
        InputError: the file is not a ledger, is damaged or of a newer version, or is to be read and is not there.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self.owner = uuid.uuid4().hex
        self._writer = None if read_only else Writer(self.path, self.owner)
        self._has_written = False
        if read_only and not self.path.is_file():
            raise InputError(f"{self.path}: there is no ledger here; name it with --ledger, or run without --offline")
        if self.path.is_dir():
            raise InputError(f"{self.path}: is a folder; name a file in it with --ledger")
        with contextlib.ExitStack() as opening:
            try:
                self._reader = opening.enter_context(reading(self.path) if read_only else _writable(self.path))
                self._reader.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
            except (*LEDGER_ERRORS, OSError) as error:
                what_to_do = _MAKE_ROOM if is_out_of_room(self.path, error) else _WHAT_TO_DO
                raise InputError(
                    f"{self.path}: cannot open the ledger: {printable(str(error))}; {what_to_do}"
                ) from error
            self._opened = opening.pop_all()

    @classmethod
    @contextlib.contextmanager
    def read_if_there(cls, path: Path) -> Iterator[Ledger | None]:
        """The ledger of a dry run: none is made where there is none."""
        if not path.is_file():
            yield None
            return
        with cls(path, read_only=True) as ledger:
            yield ledger

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is queued, give back the claims and close the file."""
        if self._writer is not None:
            self._writer.close()
        self._opened.close()

    # Reading

    def replies(self, keys: Sequence[str]) -> dict[str, list[StoredReply]]:
        """The stored replies of each key that has any, oldest first."""
        found: dict[str, list[StoredReply]] = {}
        columns = ", ".join(StoredReply._fields)
        for part, marks in in_parts(dict.fromkeys(keys)):
            # The index on the key has this order, so that no reply is copied to be sorted.
            sql = f"SELECT {columns} FROM replies WHERE key IN ({marks}) ORDER BY key, id"  # noqa: S608
            rows = self._rows(sql, part)
            if not _are_sound(rows):
                unsound = next(row for row in rows if not _are_sound([row]))
                raise self._damaged(f"reply {unsound[1]} holds values of the wrong types")
            for reply in map(_AS_REPLY, rows):
                found.setdefault(reply.key, []).append(reply)
        return found

    def key_heads(self) -> NDArray[np.uint64]:
        """Sorted: the first eight bytes of every key that has a reply, as `GroupPlan.key_heads` has them."""
        sql = "SELECT DISTINCT substr(key, 1, 16) FROM replies WHERE length(key) = 64 AND key NOT GLOB '*[^0-9a-f]*'"
        heads = "".join(head for (head,) in self._rows(sql))
        return np.unique(np.frombuffer(bytes.fromhex(heads), dtype=">u8").astype(np.uint64))

    def failures(self, keys: Sequence[str]) -> dict[str, Failure]:
        """Why the last attempt at each key failed, for the keys whose last attempt did."""
        found = {}
        for part, marks in in_parts(keys):
            sql = f"SELECT key, reason, message, attempts FROM failures WHERE key IN ({marks})"  # noqa: S608
            for key, reason, message, attempts in self._rows(sql, part):
                found[key] = Failure(str(reason), str(message), attempts)
        return found

    def rationale(self, reply_id: int) -> tuple[str | None, str]:
        """Reasoning and content of one stored reply, as the judge gave them.

        Raises:
            KeyError: there is no such reply.
        """
        _, reasoning, content = self.rationales([reply_id])[reply_id]
        return reasoning, content

    def rationales(self, reply_ids: Sequence[int]) -> dict[int, tuple[str, str | None, str]]:
        """Key, reasoning and content of many stored replies; ids that are not there are left out."""
        found = {}
        for part, marks in in_parts(reply_ids):
            sql = f"SELECT id, key, reasoning, content FROM replies WHERE id IN ({marks})"  # noqa: S608
            for reply_id, key, reasoning, content in self._rows(sql, part):
                if not (isinstance(content, str) and isinstance(reasoning, str | None)):
                    raise self._damaged(f"reply {reply_id} holds no text")
                found[reply_id] = key, reasoning, content
        return found

    def origins(self, keys: Sequence[str]) -> list[Origin]:
        """Who gave the stored replies of these keys, oldest first."""
        found = []
        columns = ", ".join(Origin._fields)
        for part, marks in in_parts(keys):
            sql = f"SELECT {columns} FROM replies WHERE key IN ({marks})"  # noqa: S608
            for row in self._rows(sql, part):
                if not (isinstance(row[0], int) and all(isinstance(field, str | None) for field in row[1:])):
                    raise self._damaged(f"reply {row[0]} does not say who gave it")
                found.append(Origin(*row))
        return sorted(found)

    def last_id(self) -> int:
        """The id of the newest reply, 0 when there is none."""
        return int(self._rows("SELECT COALESCE(MAX(id), 0) FROM replies")[0][0])

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query; whatever is wrong with the file is said in one line."""
        try:
            return self._reader.execute(sql, values).fetchall()
        except LEDGER_ERRORS as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> DiversityJudgeError:
        """What is wrong with the file; as bad input only so long as nothing was sent."""
        kind = RunError if self._has_written else InputError
        return kind(f"{self.path}: the ledger cannot be read ({printable(what, _LONGEST)}); {_WHAT_TO_DO}")

    # Writing (each waits until it is committed)

    async def add_reply(
        self,
        key: str,
        reply: Reply,
        *,
        is_last: bool,
        cost_usd: float | None,
        host: str,
        attempt: int,
        output_limit: int | None,
    ) -> None:
        """Keep a reply; returns once it is on disk.

        Args:
            key: Of the judgment.
            reply: As the judge gave it.
            is_last: The judgment needs no further call: its claim is freed and a noted failure is forgotten.
            cost_usd: What it cost, None where no prices are known.
            host: Who was asked.
            attempt: Which call of this run for this key it was, from 1.
            output_limit: The most tokens that the reply could have had.

        Raises:
            RunError: it could not be written (a full disk).
        """
        fields = tuple(getattr(reply, name) for name in REPLY_FIELDS)
        record = (key, *fields, cost_usd, host, attempt, output_limit, now())
        await self._submit(AddReply(record, key, self.owner if is_last else None))

    async def add_computed(self, keys: Sequence[str], replies: Sequence[Reply], *, host: str) -> None:
        """Keep replies that were computed here, each the only one of its key; returns once all are on disk.

        Args:
            keys: Of the judgments.
            replies: In the same order.
            host: As the judge names it.

        Raises:
            RunError: they could not be written (a full disk).
        """
        created = now()
        records = [
            (key, *(getattr(reply, name) for name in REPLY_FIELDS), None, host, 1, None, created)
            for key, reply in zip(keys, replies, strict=True)
        ]
        await self._submit(AddReplies(records, self.owner))

    async def give_up(self, key: str, failure: Failure) -> None:
        """Note why a key got no score in this run, and free its claim."""
        await self._submit(GiveUp(key, failure, self.owner))

    async def claim(self, keys: Sequence[str], *, newer_than: int) -> Claim:
        """Claim keys before calls are sent for them.

        Args:
            keys: Of the calls.
            newer_than: The id of the newest reply when the run was planned. A key that has got a reply since
                then, from another run, is answered.
        """
        claim: Claim = await self._submit(ClaimKeys(tuple(keys), newer_than, self.owner))
        return claim

    def _submit(self, job: Job) -> asyncio.Future[Any]:
        if self._writer is None:
            raise ValueError(f"{self.path} was opened to be read only")
        self._has_written = True
        return self._writer.submit(job)


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(connect(path)) as connection:
        prepare(connection, path)
        yield connection


def _are_sound(rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether stored replies have values of the types that were written; asked of whole columns, as they are many."""
    columns = zip(*rows, strict=True)
    return not rows or all(set(map(type, column)) <= types for column, types in zip(columns, _TYPES, strict=True))
