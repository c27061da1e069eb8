"""Whether a file could not be written for want of room, which SQLite says only at some places where it meets it."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

ROOM_BYTES = 1 << 17
"""What a new ledger takes with its log and the index of that, and a little more."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_out_of_room(path: Path, error: Exception) -> bool:
    """Whether it is the disk, a quota or a limit on a file's size that kept a ledger from being opened or written.

    Args:
        path: Of the ledger.
        error: What was raised.
    """
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    if "disk is full" in str(error):
        return True
    # A file that cannot grow is to SQLite an I/O error as any other: then no other file can grow there either.
    return "I/O error" in str(error) and not _takes_more(path.parent)


def _takes_more(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno not in _NO_ROOM
    return True
