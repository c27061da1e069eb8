"""The ledger's file: its tables, how it is opened, and how it is made when two runs make it at once."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from diversity_judge.errors import InputError

_T = TypeVar("_T")

_VERSION = 1
_BUSY_TIMEOUT_S = 60.0
_KEYS_A_QUERY = 500

LEDGER_ERRORS = (sqlite3.Error, OverflowError, UnicodeDecodeError)
"""What reading a damaged file may raise; the last where a name in an error's message is no text any more."""

_TABLES = (
    """CREATE TABLE replies (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    content TEXT NOT NULL,
    reasoning TEXT,
    finish_reason TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    cost_usd REAL,
    model TEXT,
    host TEXT,
    provider TEXT,
    system_fingerprint TEXT,
    latency_s REAL,
    attempt INTEGER,
    output_limit INTEGER,
    created TEXT NOT NULL
)""",
    """CREATE INDEX replies_by_key ON replies (key)""",
    """CREATE TABLE failures (
    key TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    created TEXT NOT NULL
)""",
    """CREATE TABLE claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL)""",
    """CREATE TABLE owners (
    owner TEXT PRIMARY KEY, machine TEXT NOT NULL, process INTEGER NOT NULL, heartbeat REAL NOT NULL
)""",
)


_COLUMNS = {
    "replies": "id, key, content, reasoning, finish_reason, prompt_tokens, completion_tokens, cached_tokens, cost_usd, "
    "model, host, provider, system_fingerprint, latency_s, attempt, output_limit, created",
    "failures": "key, reason, message, attempts, created",
    "claims": "key, owner",
    "owners": "owner, machine, process, heartbeat",
}
"""What a ledger must have, whatever its file says of itself."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection whose commits are on disk when they return."""
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables where there are none; another run may be doing the same at this moment.

    Raises:
        InputError: the file is not a ledger, or is of a newer version. It is left as it was.
    """
    if is_prepared(connection, path):
        return
    # Another run that is switching the mode keeps it locked for a moment; the switch is then done.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not is_prepared(connection, path):
            make_tables(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def make_tables(connection: sqlite3.Connection) -> None:
    """Make an empty ledger of an empty file."""
    for table in _TABLES:
        connection.execute(table)
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def in_parts(values: Iterable[_T]) -> Iterator[tuple[list[_T], str]]:
    """Values in parts that one query takes, each with its question marks."""
    values = list(values)
    for start in range(0, len(values), _KEYS_A_QUERY):
        part = values[start : start + _KEYS_A_QUERY]
        yield part, ", ".join("?" * len(part))


def is_prepared(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there; not so in a file that is still empty.

    Raises:
        InputError: the file is not a ledger, or is of a newer version.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        raise InputError(f"{path}: the ledger is of version {version}, this program knows {_VERSION}: update it")
    if version == _VERSION:
        _check_tables(connection, path)
        return True
    # Read after the version: a run that makes the ledger sets the version and the tables in one transaction.
    with_tables = "SELECT COUNT(*) FROM sqlite_master WHERE (SELECT user_version FROM pragma_user_version) = 0"
    if connection.execute(with_tables).fetchone()[0]:
        raise _not_a_ledger(path)
    return False


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    for table, columns in _COLUMNS.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not found.issuperset(columns.split(", ")):
            raise _not_a_ledger(path)


def _not_a_ledger(path: Path) -> InputError:
    return InputError(f"{path}: this SQLite file is not a ledger; name another one with --ledger")
