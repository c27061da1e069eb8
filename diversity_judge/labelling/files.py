"""What the label commands leave: the sheet and its key, and the labels that came back."""

from __future__ import annotations

import json
from pathlib import Path

from diversity_judge.errors import RunError
from diversity_judge.files import write_csv, write_text, write_whole
from diversity_judge.labelling.key import write_key
from diversity_judge.labelling.result import LabelsRead
from diversity_judge.labelling.sheet import Sheet

LINES = ".jsonl"
"""Ending of a label file of JSON lines; any other is CSV."""


def key_path(sheet: Path) -> Path:
    """Where the key of a sheet lies."""
    return sheet.with_suffix(".key.json")


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Write the key, and then the page: a page without its key could never be read back.

    Raises:
        InputError: the key of another sheet lies there.
        RunError: the disk does not take them.
    """
    from diversity_judge.labelling.page import render

    html = render(sheet)
    write_key(sheet, key_path(path))
    try:
        write_whole(path, lambda temporary: temporary.write_bytes(html))
    except OSError as error:
        raise RunError(f"{path}: cannot write the sheet: {error}") from error


def write_labels(found: LabelsRead, path: Path) -> None:
    """Write the labels: one row an answer, CSV or JSON lines by the file's ending.

    Raises:
        RunError: the disk does not take them.
    """
    try:
        if path.suffix == LINES:
            rows = ({name: value for name, value in row.items() if value is not None} for row in found.rows())
            write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        else:
            write_csv(path, found.rows())
    except OSError as error:
        raise RunError(f"{path}: cannot write the labels: {error}") from error
