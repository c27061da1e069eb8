"""Opening a ledger to read it only, wherever it lies.

A ledger keeps a log beside its file (WAL), and SQLite needs two files there to read it, unless it may assume that
nobody writes. So how it is opened depends on what can be known:

    may be written, file and folder     as ever, with writing forbidden: the locks of a living run hold
    may not, and no log beside it       as a file that does not change: it is whole, and nobody is writing
    may not, and a log beside it        with the log and the locks of who writes there; where that cannot be, a copy

Where writing is possible, SQLite may move the log of a killed run into the file, as it does whenever one is opened.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from diversity_judge.ledger.schema import connect, is_prepared, make_tables


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that writes nothing; an empty file reads as an empty ledger.

    Raises:
        InputError: the file is not a ledger, or is of a newer version.
        sqlite3.Error: it cannot be read.
        OSError: likewise.
    """
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(contextlib.closing(_open(path, stack)))
        if not is_prepared(connection, path):
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)))
            make_tables(connection)
        connection.execute("PRAGMA query_only = ON")
        yield connection


def _open(path: Path, stack: contextlib.ExitStack) -> sqlite3.Connection:
    if _may_be_written(path) and _may_be_written(path.parent):
        return connect(path)
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        return _connect_to_uri(path, "mode=ro&immutable=1")
    with contextlib.ExitStack() as trying:
        try:
            connection = _connect_to_uri(path, "mode=ro")
            trying.callback(connection.close)
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ledger-")))
            return connect(_copied(path, log, folder))
        trying.pop_all()
        return connection


def _may_be_written(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _connect_to_uri(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, isolation_level=None)


def _copied(path: Path, log: Path, folder: Path) -> Path:
    for part in (path, log):
        shutil.copyfile(part, folder / part.name)
    return folder / path.name
