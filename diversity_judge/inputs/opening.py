"""Opening what the user names, once: a file, a pipe, standard input; plain or compressed with gzip.

A pipe can be read only once and only forwards, so whatever is learnt of an input (its first bytes, its hash, its rows)
is learnt in one pass, and a file is treated no differently.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from diversity_judge.errors import InputError
from diversity_judge.files import LONGEST_FILE
from diversity_judge.text_safety import printable

STDIN = "-"
"""How standard input is named on a command line."""

LONGEST_LINE = 1 << 27
"""Bytes of a line. A response of a million tokens is a twentieth of it; a device without an end has no line break."""

_BUFFER_BYTES = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
_STDIN_NAMES = frozenset({STDIN, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_DESCRIPTOR = re.compile(r"/dev/fd/\d+|/proc/(?:self|\d+)/fd/\d+")
_FOREIGN = {
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", "pipe it in: zstd -dc FILE | ... -"),
    b"BZh": ("compressed with bzip2", "pipe it in: bzip2 -dc FILE | ... -"),
    b"\xfd7zXZ": ("compressed with xz", "pipe it in: xz -dc FILE | ... -"),
    b"version https://git-lfs": ("a pointer of Git LFS and not the file itself", "fetch it with git lfs pull"),
    b"SQLite format 3": ("an SQLite database", "name the responses; compare reads a run folder by its name"),
}
"""First bytes of what is no input, what it is, and what to do."""


class InputFile:
    """An open input, read forwards once.

    Attributes:
        path: As the user named it.
        shown: As messages name it.
    """

    def __init__(self, path: Path, raw: BinaryIO) -> None:
        self.path = path
        self.shown = "standard input" if str(path) == STDIN else printable(str(path))
        self._raw = raw
        self._tapped = _Tapped(raw)
        self._stream: Any = io.BufferedReader(self._tapped, _BUFFER_BYTES)
        self._is_gzip = self._stream.peek(2).startswith(_GZIP_MAGIC)
        if self._is_gzip:
            self._stream = io.BufferedReader(gzip.GzipFile(fileobj=self._stream), _BUFFER_BYTES)

    @property
    def suffix(self) -> str:
        """The ending of the name, without that of a compression, in lower case."""
        return Path(self.path.name.lower().removesuffix(".gz")).suffix

    def head(self, size: int) -> bytes:
        """The first bytes, still to be read; nothing where the compressed data is damaged: reading it says so."""
        try:
            return bytes(self._stream.peek(size)[:size])
        except (EOFError, zlib.error, OSError):
            return b""

    def lines(self) -> Iterator[bytes]:
        """The lines with their line breaks.

        Raises:
            InputError: the data is damaged, or a line has no end.
        """
        number = 1
        try:
            while line := self._stream.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise InputError(
                        f"{self.shown}:{number}: a line of more than {LONGEST_LINE >> 20} MiB, or without an end; "
                        "write one response on each line"
                    )
                yield line
                number += 1
        except (EOFError, zlib.error, OSError) as error:
            raise self._damaged(f"{self.shown}:{number}", error) from error

    def read(self) -> bytes:
        """All that is left.

        Raises:
            InputError: the data is damaged, or too long to be held in memory.
        """
        try:
            data = bytes(self._stream.read(LONGEST_FILE + 1))
            if len(data) > LONGEST_FILE:
                raise self.too_long()
            return data
        except (EOFError, zlib.error, OSError) as error:
            raise self._damaged(self.shown, error) from error

    def seekable(self) -> BinaryIO:
        """The whole content as a file in which one can go back, as tables and archives need; in memory for a pipe."""
        if self._is_gzip or not self._raw.seekable():
            return io.BytesIO(self.read())
        self._tapped.drain()
        self._raw.seek(0)
        return self._raw

    def sha256(self) -> str:
        """SHA-256 (hexadecimal) of the bytes as they came; what was not read yet is read now."""
        self._tapped.drain()
        return self._tapped.sha256.hexdigest()

    def too_long(self) -> InputError:
        """What to say of an input that is held in memory as a whole and is longer than any that is meant."""
        return InputError(
            f"{self.shown}: longer than {LONGEST_FILE >> 20:,} MiB, or without an end; write its responses as JSON "
            "lines, which are read one by one"
        )

    @staticmethod
    def _damaged(where: str, error: Exception) -> InputError:
        return InputError(f"{where}: reading stops here: {error}; copy or write the file again")


class _Tapped(io.RawIOBase):
    """A raw file of whose bytes a hash is taken as they pass."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256()
        self._is_drained = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or reach the end: a pipe gives a few bytes at a time, too few to tell a format by."""
        view = memoryview(buffer)
        filled = 0
        while filled < len(view):
            part = self._raw.read(len(view) - filled)
            if not part:
                break
            view[filled : filled + len(part)] = part
            filled += len(part)
        self.sha256.update(view[:filled])
        return filled

    def drain(self) -> None:
        """Read to the end, once: afterwards others may go back and forth in the file."""
        while not self._is_drained and self.read(1 << 20):
            pass
        self._is_drained = True


@contextmanager
def opened(path: Path) -> Iterator[InputFile]:
    """Open an input.

    Raises:
        InputError: it is absent, a folder, cannot be read, or is of a kind that is surely no input.
    """
    if str(path) == STDIN:
        yield _checked(InputFile(path, sys.stdin.buffer))
        return
    try:
        raw = path.open("rb", buffering=0)
    except FileNotFoundError:
        raise InputError(f"{printable(str(path))}: no such file; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{printable(str(path))}: is a folder; name the files in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{printable(str(path))}: can't be read: {reason}") from None
    with raw:
        yield _checked(InputFile(path, raw))


def refuse_the_same_stream_twice(paths: list[Path]) -> None:
    """A pipe holds its bytes for one reader.

    Raises:
        InputError: one is named twice.
    """
    seen: set[object] = set()
    for path in paths:
        stream = _stream_identity(path)
        if stream is not None and stream in seen:
            raise InputError(f"{printable(str(path))}: is a stream, which can be read only once; name it once")
        seen.add(stream)


def default_name(path: Path) -> str:
    """A name for what is made from an input: that of its file without endings, `stdin`, or `stream`."""
    if str(path) in _STDIN_NAMES:
        return "stdin"
    if _DESCRIPTOR.fullmatch(str(path)):
        return "stream"  # The shell's number of a process substitution says nothing, and changes.
    return path.name.split(".")[0] or path.resolve().name.split(".")[0] or "responses"


def _stream_identity(path: Path) -> object:
    if str(path) in _STDIN_NAMES:
        return STDIN
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None  # Opening it says why.
    return None if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else (status.st_dev, status.st_ino)


def _checked(file: InputFile) -> InputFile:
    for magic, (what, advice) in _FOREIGN.items():
        if file.head(len(magic)) == magic:
            raise InputError(f"{file.shown}: is {what}; {advice}")
    return file
