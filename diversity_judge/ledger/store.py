"""The ledger as the rest of the program sees it: replies by key, and what is worked on by whom."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from itertools import starmap
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from diversity_judge.errors import InputError
from diversity_judge.judges.base import Reply
from diversity_judge.ledger.jobs import REPLY_FIELDS, AddReply, Claim, ClaimKeys, Failure, GiveUp, now
from diversity_judge.ledger.schema import connect, in_parts, prepare
from diversity_judge.ledger.writer import Writer

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
    latency_s: float | None
    output_limit: int | None


class Ledger:
    """A SQLite file of replies. Open it with `with`; the writer thread runs while it is open.

    Args:
        path: The file; made when it does not exist, unless `must_exist`.
        must_exist: Raise instead of making it (`--offline`).

    Raises:
        InputError: the file is not a ledger, or is of a newer version.
    """

    def __init__(self, path: str | Path, *, must_exist: bool = False) -> None:
        self.path = Path(path)
        self.owner = uuid.uuid4().hex
        if must_exist and not self.path.is_file():
            raise InputError(f"{self.path}: there is no ledger here; name it with --ledger, or run without --offline")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._reader = connect(self.path)
            self._reader.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
            prepare(self._reader, self.path)
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"{self.path}: cannot open the ledger: {error}") from error
        self._writer = Writer(self.path, self.owner)

    @classmethod
    @contextlib.contextmanager
    def opened_if_there(cls, path: Path) -> Iterator[Ledger | None]:
        """The ledger of a dry run: none is made where there is none."""
        if not path.is_file():
            yield None
            return
        with cls(path) as ledger:
            yield ledger

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is queued, give back the claims and close the file."""
        self._writer.close()
        self._reader.close()

    # Reading

    def replies(self, keys: Sequence[str]) -> dict[str, list[StoredReply]]:
        """The stored replies of each key that has any, oldest first."""
        found: dict[str, list[StoredReply]] = {}
        columns = ", ".join(StoredReply._fields)
        for part, marks in in_parts(keys):
            # The index on the key has this order, so that no reply is copied to be sorted.
            sql = f"SELECT {columns} FROM replies WHERE key IN ({marks}) ORDER BY key, id"  # noqa: S608
            for reply in starmap(StoredReply, self._reader.execute(sql, part)):
                found.setdefault(reply.key, []).append(reply)
        return found

    def failures(self, keys: Sequence[str]) -> dict[str, Failure]:
        """Why the last attempt at each key failed, for the keys whose last attempt did."""
        found = {}
        for part, marks in in_parts(keys):
            sql = f"SELECT key, reason, message, attempts FROM failures WHERE key IN ({marks})"  # noqa: S608
            found.update({key: Failure(*values) for key, *values in self._reader.execute(sql, part)})
        return found

    def rationale(self, reply_id: int) -> tuple[str | None, str]:
        """Reasoning and content of one stored reply, as the judge gave them."""
        row = self._reader.execute("SELECT reasoning, content FROM replies WHERE id = ?", (reply_id,)).fetchone()
        if row is None:
            raise KeyError(reply_id)
        return row[0], row[1]

    def rationales(self, reply_ids: Sequence[int]) -> dict[int, tuple[str, str | None, str]]:
        """Key, reasoning and content of many stored replies; ids that are not there are left out."""
        found = {}
        for part, marks in in_parts(reply_ids):
            sql = f"SELECT id, key, reasoning, content FROM replies WHERE id IN ({marks})"  # noqa: S608
            found.update({reply_id: (key, *texts) for reply_id, key, *texts in self._reader.execute(sql, part)})
        return found

    def last_id(self) -> int:
        """The id of the newest reply, 0 when there is none."""
        return int(self._reader.execute("SELECT COALESCE(MAX(id), 0) FROM replies").fetchone()[0])

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
        await self._writer.submit(AddReply(record, key, self.owner if is_last else None))

    async def give_up(self, key: str, failure: Failure) -> None:
        """Note why a key got no score in this run, and free its claim."""
        await self._writer.submit(GiveUp(key, failure, self.owner))

    async def claim(self, keys: Sequence[str], *, newer_than: int) -> Claim:
        """Claim keys before calls are sent for them.

        Args:
            keys: Of the calls.
            newer_than: The id of the newest reply when the run was planned. A key that has got a reply since
                then, from another run, is answered.
        """
        claim: Claim = await self._writer.submit(ClaimKeys(tuple(keys), newer_than, self.owner))
        return claim
