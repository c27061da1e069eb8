"""Reads JSON lines strictly, one line at a time, and goes on after a bad one.

Python's own parser lets `NaN` and repeated keys pass; in a measurement each of them is a wrong number later.
Going on after an error lets a command report all of a file's faults in one go.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from diversity_judge.errors import InputError
from diversity_judge.text_safety import printable

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_FEW_BRACKETS = 200
_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Line:
    """One line that is not blank.

    Attributes:
        number: From 1.
        value: Its JSON value.
        error: What is wrong with it; None if nothing is.
        is_plain: Whether it surely holds no lone surrogate and isn't nested deeply, so that it needs no second look.
    """

    number: int
    value: Any = None
    error: str | None = None
    is_plain: bool = False


def open_bytes(path: Path) -> BinaryIO:
    """Opens a file for reading, through gzip where its first bytes say so.

    Raises:
        InputError: The file is absent, a folder, or can't be read.
    """
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == _GZIP_MAGIC
        # gzip.GzipFile reads as a BinaryIO does.
        return gzip.open(path, "rb") if is_gzip else path.open("rb")  # type: ignore[return-value]
    except FileNotFoundError:
        raise InputError(f"{printable(str(path))}: no such file; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{printable(str(path))}: is a folder; name the files in it") from None
    except OSError as error:
        raise InputError(f"{printable(str(path))}: can't be read: {error.strerror or error}") from None


def read_json_lines(path: Path) -> Iterator[Line]:
    """Yields the lines of a JSON lines file (plain or gzip, UTF-8 with or without a byte order mark).

    Blank lines are skipped but counted. A last line without a line break that does not parse is called cut
    off.

    Raises:
        InputError: The file can't be opened, or its compressed data is damaged.
    """
    number = 0
    with open_bytes(path) as file:
        try:
            for number, raw in enumerate(file, start=1):
                raw_line = raw.removeprefix(_UTF8_MARK) if number == 1 else raw
                if raw_line.strip():
                    yield _parse(number, raw_line)
        except (EOFError, zlib.error, OSError) as error:
            where = f"{printable(str(path))}:{number + 1}"
            raise InputError(f"{where}: reading stops here: {error}; copy or write the file again") from error


def _parse(number: int, raw: bytes) -> Line:
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
        return Line(number, value, is_plain=_is_plain(raw))
    except UnicodeDecodeError as fault:
        error = f"not valid UTF-8 at byte {fault.start + 1} of the line; save the file as UTF-8"
        if raw.startswith(_UTF16_MARKS):
            error = "the file is UTF-16; save it as UTF-8"
    except json.JSONDecodeError as fault:
        error = f"not valid JSON: {fault.msg} at column {fault.colno}; write one JSON object on each line"
    except RecursionError:
        error = "JSON is nested too deeply; write one flat object on each line"
    except ValueError as fault:
        error = f"not valid JSON: {fault}"
    if not raw.endswith(b"\n"):
        error = f"the last line is cut off ({error}); delete it or write the file again"
    return Line(number, error=error)


def _is_plain(raw: bytes) -> bool:
    """UTF-8 holds no surrogate that is not escaped, and nesting takes brackets."""
    return _ESCAPED_SURROGATE.search(raw) is None and raw.count(b"[") + raw.count(b"{") < _FEW_BRACKETS


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON; write null or a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {printable(repr(twice), 60)} stands twice in one object; keep one of them")
    return record
