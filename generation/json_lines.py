"""A file of JSON lines that is appended to: what is in it is whole, on the disk, and written by one process at a time.

A line is written with one call and synced before it counts; what a killed run wrote of its last line is cut off.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError, RunError
from diversity_judge.files import write_text


class Lines:
    """A file of JSON lines open for appending; a torn last line is cut off."""

    def __init__(self, path: Path, descriptor: int) -> None:
        _cut_torn_line(descriptor)
        self.path = path
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows, each a line, and sync them; all of them or, on an error, none.

        Raises:
            RunError: the disk refuses.
        """
        data = b"".join(
            json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"
            for row in rows
        )
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            raise RunError(f"{self.path}: cannot write: {error}; a resume continues from here") from error
        self._size += len(data)

    def clear(self) -> None:
        """Empty the file."""
        os.ftruncate(self._descriptor, 0)
        self._size = 0


def open_locked(path: Path) -> int:
    """Open the file that this path names, locked.

    Raises:
        InputError: it cannot be opened.
        RunError: another run writes to it.
    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = open_appending(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be opened for writing: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise RunError(f"{path}: another run is writing to it") from error
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # a run that wrote nothing took its file away between the two calls


def has_lines(path: Path) -> bool:
    """Whether there is a file with at least one whole line."""
    try:
        with path.open("rb") as file:
            return file.readline().endswith(b"\n")
    except FileNotFoundError:
        return False


def write_whole_text(path: Path, text: str) -> None:
    """Replace a file's content so that no reader ever sees a part of it, nor a crash leaves one.

    Raises:
        RunError: the disk refuses.
    """
    try:
        write_text(path, text)
    except OSError as error:
        raise RunError(f"{path}: cannot write: {error}") from error


def whole_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each line stands and what it says; a torn last line is passed over. None where there is no file.

    Raises:
        InputError: a line is not JSON.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            where = f"{path}:{number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{where}: not a response that this command wrote ({error})") from error
            yield where, row


def _cut_torn_line(descriptor: int) -> None:
    """Cut off what a killed run wrote of its last line."""
    end = os.fstat(descriptor).st_size
    place = end
    while place > 0:
        start = max(0, place - 65536)
        newline = os.pread(descriptor, place - start, start).rfind(b"\n")
        if newline >= 0:
            place = start + newline + 1
            break
        place = start
    if place != end:
        os.ftruncate(descriptor, place)
        os.fsync(descriptor)


def open_appending(path: Path) -> int:
    """A descriptor for reading and appending; the file is made where there is none."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
