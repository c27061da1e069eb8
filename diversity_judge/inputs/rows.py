"""From an open input to its rows, whatever holds them: lines of JSON, a JSON document, a table, an archive."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from diversity_judge.errors import InputError
from diversity_judge.inputs.inspect_logs import eval_log_lines, is_inspect_log, json_log_lines
from diversity_judge.inputs.jsonl import UTF8_MARK, Line, read_json_document, read_json_lines, strict_value
from diversity_judge.inputs.opening import InputFile
from diversity_judge.inputs.tabular import arrow_lines, csv_lines, parquet_lines
from diversity_judge.text_safety import printable

CSV = "csv"
"""The one container that cannot be told by its first bytes: named by the file's ending or by `--format`."""

Placed = tuple[str, Line]
"""Where a row stands, as messages name it, and the row."""

_PARQUET = b"PAR1"
_ARROW = (b"ARROW1", b"\xff\xff\xff\xff")
_ZIP = b"PK\x03\x04"
_HEAD_BYTES = 1 << 12
_TABLES = (".parquet", ".arrow")
_RUN_MANIFEST = "run.json"


def placed_rows(file: InputFile, *, is_csv: bool = False) -> Iterator[Placed]:
    """The rows of an input.

    Args:
        file: Just opened.
        is_csv: It is CSV, whatever its name.

    Raises:
        InputError: it cannot be read, or a package that reads it is not installed.
    """
    head = file.head(_HEAD_BYTES)
    if head.startswith(_ZIP):
        return eval_log_lines(file)
    if head.startswith(_PARQUET):
        return _numbered(file, parquet_lines(file))
    if head.startswith(_ARROW):
        return _numbered(file, arrow_lines(file))
    if is_csv or file.suffix in (".csv", ".tsv"):
        return _numbered(file, csv_lines(file))
    if file.suffix == ".json" or _begins_a_document(head):
        return _document_rows(file)
    return _numbered(file, read_json_lines(file.lines()))


def is_table(file: InputFile) -> bool:
    """Whether it is Parquet or Arrow."""
    return file.head(len(_PARQUET)) == _PARQUET or file.head(_HEAD_BYTES).startswith(_ARROW)


def with_folders_opened(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are meant: each path, and in place of a data set's folder the files that hold its rows.

    Such a folder is what `datasets.save_to_disk` writes (`state.json`, or `dataset_dict.json` over one folder a
    split), or holds Parquet or Arrow files, as a data set of the Hugging Face hub does.

    Raises:
        InputError: a folder is none.
    """
    for path in paths:
        if path.is_dir():
            yield from _files_of(path)
        else:
            yield path


def is_dataset_folder(folder: Path) -> bool:
    """Whether a folder holds a data set and is not the folder of a run."""
    return not (folder / _RUN_MANIFEST).is_file() and bool(_table_files(folder))


def _files_of(folder: Path) -> list[Path]:
    shown = printable(str(folder))
    if (folder / _RUN_MANIFEST).is_file():
        raise InputError(f"{shown}: is a folder that score wrote; its responses are {shown}/responses.jsonl.gz")
    if splits := _listed(folder / "dataset_dict.json", "splits"):
        return [file for split in splits for file in _files_of(folder / split)]
    if files := _table_files(folder):
        return files
    raise InputError(f"{shown}: is a folder without a data set (Parquet or Arrow files); name the files in it")


def _table_files(folder: Path) -> list[Path]:
    if names := _listed(folder / "state.json", "_data_files"):
        return [folder / name for name in names]
    found = [
        Path(place) / name for place, _, names in os.walk(folder) for name in names if name.lower().endswith(_TABLES)
    ]
    return sorted(found)


def _listed(path: Path, field: str) -> list[str]:
    """The names that a data set's own file lists, in their order; none where it is not there."""
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_bytes())[field]
        return [str(entry["filename"]) if isinstance(entry, dict) else str(entry) for entry in entries]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(f"{printable(str(path))}: no list of files: {error!r}; write the data set again") from error


def _begins_a_document(head: bytes) -> bool:
    """An array, or an object that does not end on its first line."""
    text = head.removeprefix(UTF8_MARK).lstrip()
    return text.startswith(b"[") or text.split(b"\n", 1)[0].strip() == b"{"


def _document_rows(file: InputFile) -> Iterator[Placed]:
    data = file.read()
    document = read_json_document(data)
    if document is None:
        yield from _numbered(file, read_json_lines(io.BytesIO(data)))
    elif isinstance(document, dict) and is_inspect_log(document):
        yield from json_log_lines(document, file)
    elif isinstance(document, dict):
        yield f"{file.shown}:1", _strict(1, document)
    else:
        for index, value in enumerate(document):
            yield f"{file.shown}[{index}]", _strict(index + 1, value)


def _strict(number: int, value: object) -> Line:
    try:
        return Line(number, strict_value(value))
    except (ValueError, RecursionError) as error:
        return Line(number, error=f"not valid JSON: {error}")


def _numbered(file: InputFile, lines: Iterable[Line]) -> Iterator[Placed]:
    return ((f"{file.shown}:{line.number}", line) for line in lines)
