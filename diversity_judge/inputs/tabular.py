"""Rows of tables as dictionaries: CSV and TSV, Parquet, and the Arrow files of a Hugging Face dataset."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.files import LONGEST_FILE
from diversity_judge.inputs.jsonl import UTF8_MARK, Line
from diversity_judge.inputs.opening import InputFile
from diversity_judge.text_safety import printable

_ROWS_A_BATCH = 64
_WHOLE = frozenset({"sample_id", "seed", "n_tokens"})
"""Fields of whole numbers, which a data frame turns into fractions as soon as one of them is missing."""
_MOST_TEXT_LINES = 10_000_000
"""Of which a row may have many: a response's own."""
_LONGEST_CELL = 2**31 - 1
"""The csv module refuses cells above 128 KiB unless told otherwise; a response may be longer."""


def csv_lines(file: InputFile) -> Iterator[Line]:
    """The rows of a CSV or TSV file with a header, numbered by the line on which they begin.

    An empty cell is a missing value. The cells of the contract's fields are read as what they stand for (numbers,
    true and false, the JSON object of `meta`); what cannot be read so stays text, for the contract to refuse.

    Raises:
        InputError: it holds no header, or its data is damaged.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    text = io.StringIO("".join(_decoded(file)), newline="")
    reader = csv.reader(text, delimiter="\t" if _is_tsv(file, text) else ",", strict=True)
    header: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            number, begins = begins, reader.line_num + 1
            if not cells:
                continue
            if header is None:
                header = _header(cells, file)
            elif len(cells) != len(header):
                yield Line(number, error=f"has {len(cells)} cells where the header names {len(header)} columns")
            else:
                row = {name: _cell(name, cell) for name, cell in zip(header, cells, strict=True) if cell != ""}
                yield Line(number, row)
    except csv.Error as error:
        yield Line(begins, error=f"not valid CSV: {error}")


def parquet_lines(file: InputFile) -> Iterator[Line]:
    """The rows of a Parquet file.

    Raises:
        InputError: pyarrow is not installed, or the file is not Parquet.
    """
    return _arrow_lines(file, "Parquet", _parquet_batches)


def arrow_lines(file: InputFile) -> Iterator[Line]:
    """The rows of an Arrow file or stream, as `datasets.save_to_disk` writes it.

    Raises:
        InputError: pyarrow is not installed, or the file is not Arrow.
    """
    return _arrow_lines(file, "Arrow", _ipc_batches)


def _decoded(file: InputFile) -> Iterator[str]:
    number, n_bytes = 1, 0
    try:
        for raw in file.lines():
            n_bytes += len(raw)
            if n_bytes > LONGEST_FILE or number > _MOST_TEXT_LINES:
                raise file.too_long()
            yield (raw.removeprefix(UTF8_MARK) if number == 1 else raw).decode("utf-8")
            number += 1
    except UnicodeDecodeError as fault:
        raise InputError(
            f"{file.shown}:{number}: not valid UTF-8 at byte {fault.start + 1} of the line; save the file as UTF-8"
        ) from None


def _is_tsv(file: InputFile, text: io.StringIO) -> bool:
    if file.suffix in (".csv", ".tsv"):
        return file.suffix == ".tsv"
    first = text.readline()
    text.seek(0)
    return "\t" in first and "," not in first


def _header(cells: list[str], file: InputFile) -> list[str]:
    names = [cell.strip() for cell in cells]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{file.shown}:1: the column {printable(repr(twice), 40)} stands twice; keep one of them")
    return names


def _cell(name: str, cell: str) -> Any:
    """What the text of a cell stands for in a field of the contract."""
    with suppress(ValueError, RecursionError):
        match name:
            case "correct":
                known: dict[str, Any] = {"true": True, "false": False, "1": 1, "0": 0, "1.0": 1, "0.0": 0}
                return known.get(cell.strip().lower(), cell)
            case "reward":
                return float(cell)
            case "seed" | "n_tokens":
                return _whole(cell)
            case "sample_id":
                return int(cell) if cell.isascii() and cell.isdigit() and str(int(cell)) == cell else cell
            case "meta":
                return json.loads(cell)
    return cell


def _whole(cell: str) -> Any:
    """`7`, and `7.0`, which a data frame makes of it as soon as one cell of the column is empty."""
    number = float(cell)
    return (int(cell) if cell.strip().lstrip("+-").isdigit() else int(number)) if number.is_integer() else cell


def _arrow_lines(file: InputFile, kind: str, batches: Callable[[Any, Any], Iterator[Any]]) -> Iterator[Line]:
    try:
        import pyarrow
    except ImportError:
        raise InputError(
            f"{file.shown}: reading {kind} needs pyarrow; install it with: pip install 'diversity-judge[parquet]'"
        ) from None
    number = 0
    try:
        for batch in batches(pyarrow, file.seekable()):
            for row in batch.to_pylist():
                number += 1
                yield Line(number, {name: _of_json(name, value) for name, value in row.items() if value is not None})
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{file.shown}: not a readable {kind} file: {printable(str(error), 200)}") from error


def _parquet_batches(pyarrow: Any, source: Any) -> Iterator[Any]:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(source) as table:
        yield from table.iter_batches(batch_size=_ROWS_A_BATCH)


def _ipc_batches(pyarrow: Any, source: Any) -> Iterator[Any]:
    import pyarrow.ipc as ipc

    is_file = source.read(6) == b"ARROW1"
    source.seek(0)
    if is_file:
        table = ipc.open_file(source)
        batches = (table.get_batch(i) for i in range(table.num_record_batches))
    else:
        batches = iter(ipc.open_stream(source))
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS_A_BATCH):
            yield batch.slice(start, _ROWS_A_BATCH)


def _of_json(name: str, value: Any) -> Any:
    """A value as JSON would hold it: tables know dates, bytes and NaN, and keep an object as its text."""
    if name == "meta" and isinstance(value, str):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    if name in _WHOLE and isinstance(value, float) and value.is_integer():
        return int(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | str) else str(value)
