"""Writing files whole, and the two formats that many rooms write or read: CSV tables and TOML.

A file appears under its name only once it is whole and on the disk: a run that is killed while writing, or a machine
that loses its power, leaves the old file or none. Pictures too: an empty picture looks like a finished one.
"""

from __future__ import annotations

import csv
import errno
import glob
import io
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from diversity_judge.text_safety import printable, unsafe_in_a_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    import pandas as pd

Cell = str | int | float | bool | None
Row = dict[str, Cell]
"""One row by column: of a file's columns, so a mapping."""

TOMLError = tomllib.TOMLDecodeError
"""What `read_toml` raises where a text is no TOML; a ValueError."""


_FORMULA = re.compile("'*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet computes instead of showing it, in half and full width, or looks escaped."""
_ESCAPED_FORMULA = re.compile("'+[=+\\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


LONGEST_FILE = 1 << 30
"""Bytes of a file that is read as a whole. What is longer is not what was meant, or a device without an end."""


def read_bounded(path: Path, longest: int = LONGEST_FILE) -> bytes:
    """The bytes of a file that is read as a whole, whatever its name leads to.

    Raises:
        OSError: it cannot be read, or is longer than that.
    """
    with path.open("rb") as file:
        data = file.read(longest + 1)
    if len(data) > longest:
        raise OSError(errno.EFBIG, f"longer than {longest >> 20:,} MiB, or without an end", str(path))
    return data


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file so that it appears under its name only once it is whole and on the disk.

    Args:
        path: The file; its folder is made.
        write: Gets a temporary path in the same folder, with the same ending.

    Raises:
        OSError: the disk does not take it; what stood there before still does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path, os.getpid())
    try:
        write(temporary)
        _to_disk(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _to_disk(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed while they wrote this file have left of it."""
    for leftover in path.parent.glob(glob.escape(_temporary(path, "@").name).replace("@", "*")):
        process = leftover.name.removesuffix(f".tmp{path.suffix}").rpartition(".")[2]
        if process.isdecimal() and leftover == _temporary(path, int(process)) and not is_running(int(process)):
            leftover.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, as UTF-8 with the line ends that the text has."""
    write_whole(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole, for people too.

    Raises:
        ValueError: the value holds NaN or an infinity, which JSON has no name for.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finite_or_none(value: float) -> float | None:
    """A number for a JSON file, which has no name for NaN and infinity."""
    return value if math.isfinite(value) else None


def read_json(path: Path) -> Any:
    """The value in a JSON file that is read as a whole.

    Raises:
        OSError: it cannot be read, or is longer than such a file is.
        ValueError: it is no JSON in UTF-8, or nested too deep.
    """
    try:
        return json.loads(read_bounded(path).decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Write a table whole: rows that all have the columns of the first; what is missing is an empty cell.

    Texts are written as `text_cell` has them.
    """
    write_whole(path, partial(_write_rows, iter(rows)))


def csv_text(rows: Iterable[Row]) -> str:
    """The text of the file that `write_csv` would write."""
    file = io.StringIO()
    _write_lines(rows, file)
    return file.getvalue()


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame as a CSV table, whole, without its index; texts as `text_cell` has them."""
    shown = frame.apply(lambda column: column.map(lambda cell: text_cell(cell) if isinstance(cell, str) else cell))
    write_whole(path, lambda temporary: shown.to_csv(temporary, index=False, lineterminator="\n"))


def text_cell(text: str) -> str:
    r"""A text as a cell of a table: never a formula, and on one line.

    A spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`, even in quotes, so that a name in a table can
    send a reader's data away. Such a text, unless it is a number, gets an apostrophe before it, which a spreadsheet
    shows as text; `text_of_cell` takes it away again, exactly. Control characters and line breaks, which no id has,
    become their visible escapes.
    """
    if unsafe_in_a_name(text) is not None:
        text = "".join(c if unsafe_in_a_name(c) is None else printable(c) for c in text)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def text_of_cell(cell: str) -> str:
    """The text that `text_cell` wrote."""
    return cell[1:] if _ESCAPED_FORMULA.match(cell) else cell


def read_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        TOMLError: it is none.
    """
    return tomllib.loads(text)


def _write_rows(rows: Iterable[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_lines(rows, file)


def _write_lines(rows: Iterable[Row], file: TextIO) -> None:
    rows = iter(rows)
    first = next(rows, None)
    writer = csv.writer(file, lineterminator="\n")
    if first is not None:
        writer.writerow(first)
        for row in chain((first,), rows):
            # NaN alone differs from itself.
            cells = (None if cell != cell else cell for cell in row.values())
            writer.writerow([text_cell(cell) if isinstance(cell, str) else cell for cell in cells])


def _temporary(path: Path, process: int | str) -> Path:
    return path.with_name(f".{path.stem}.{process}.tmp{path.suffix}")


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive the loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
