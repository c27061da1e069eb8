"""Reads JSON strictly, JSON lines one at a time, and goes on after a bad one.

Python's own parser lets `NaN` and repeated keys pass; in a measurement each of them is a wrong number later.
Going on after an error lets a command report all of a file's faults in one go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from diversity_judge.text_safety import printable

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_FEW_BRACKETS = 200
MOST_LINES = 1_000_000
"""All are held in memory, a kilobyte each at least, and a stream may have no end."""
UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Line:
    """One row that is not blank.

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


def read_json_lines(lines: Iterable[bytes]) -> Iterator[Line]:
    """Yields the lines of JSON lines (UTF-8 with or without a byte order mark).

    Blank lines are skipped but counted. A last line without a line break that does not parse is called cut off.
    Reading stops where there are more lines than anybody means.
    """
    for number, raw in enumerate(lines, start=1):
        if number > MOST_LINES:
            yield Line(number, error=f"more than {MOST_LINES:,} lines, or without an end; name a part of it")
            return
        raw_line = raw.removeprefix(UTF8_MARK) if number == 1 else raw
        if raw_line.strip():
            yield _parse(number, raw_line)


def read_json_document(data: bytes) -> list[Any] | dict[str, Any] | None:
    """A file that is one JSON array or object; None for one that is not, such as JSON lines.

    Numbers that JSON does not have, such as NaN, pass: tools write them where nobody reads them.
    """
    try:
        value = json.loads(data.removeprefix(UTF8_MARK).decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list | dict) else None


def strict_value(value: Any) -> Any:
    """A value of a document, read again as strictly as a line.

    Raises:
        ValueError: it holds what JSON has no name for.
    """
    return json.loads(json.dumps(value), parse_constant=_refuse)


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
