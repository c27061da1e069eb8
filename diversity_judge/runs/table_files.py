"""The tables of a run folder, read and checked: what is damaged is said in one line, with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from diversity_judge.errors import InputError
from diversity_judge.runs.frames import read_frame
from diversity_judge.text_safety import printable

_HIGHEST = 2.0**53
"""Up to here a float holds every whole number."""
_REWRITE = "`score --offline` writes it again from the ledger"


def whole_numbers(
    path: Path, rows: pd.DataFrame, column: str, *, highest: float = _HIGHEST, may_be_missing: bool = False
) -> list[Any]:
    """A column of whole numbers from 0 on, None for those that are missing."""
    if len(rows) and rows[column].dtype == np.int64 and rows[column].min() >= 0 and rows[column].max() <= highest:
        return rows[column].tolist()
    values = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=np.float64)
    is_there = rows[column].notna().to_numpy()
    with np.errstate(invalid="ignore"):
        is_good = (values >= 0) & (values <= highest) & (values == np.floor(values))
    wrong = np.flatnonzero(~is_good & (is_there | (not may_be_missing)))
    if wrong.size:
        value = printable(str(rows[column].iloc[wrong[0]]), 40)
        raise broken(path, f"{value!r} in row {wrong[0] + 1} is no {column.replace('_', ' ')}")
    return [int(value) if there else None for value, there in zip(values.tolist(), is_there.tolist(), strict=True)]


def numbers_between(path: Path, rows: pd.DataFrame, column: str, lowest: float, highest: float) -> list[Any]:
    """A column of numbers, None for those that are missing."""
    values = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(~((values >= lowest) & (values <= highest)) & rows[column].notna().to_numpy())
    if wrong.size:
        value = printable(str(rows[column].iloc[wrong[0]]), 40)
        raise broken(path, f"{value!r} in row {wrong[0] + 1} is no {column.replace('_', ' ')}")
    return [None if np.isnan(value) else value for value in values.tolist()]


def broken(path: Path, what: str) -> InputError:
    """The error that says what is wrong with a table."""
    return InputError(f"{path}: {what}; {_REWRITE}")


def part_of(folder: Path, name: str) -> Path:
    """A file of the folder.

    Raises:
        InputError: it is not there.
    """
    path = folder / name
    if not path.is_file():
        raise broken(path, "is missing")
    return path


def read_table(folder: Path, name: str, needed: Sequence[str], numbers: Sequence[str] = ()) -> pd.DataFrame:
    """A table, its ids and texts as they are and its numbers as numbers."""
    path = part_of(folder, name)
    try:
        table = read_frame(path)
    except (ValueError, OSError) as error:
        raise broken(path, f"cannot read the table: {printable(str(error))}") from error
    lacking = [column for column in (*needed, *numbers) if column not in table.columns]
    if lacking:
        raise broken(path, f"has no column {', '.join(lacking)}")
    texts = [column for column in numbers if not pd.api.types.is_numeric_dtype(table[column])]
    if texts:
        raise broken(path, f"holds something else than numbers in the column {', '.join(texts)}")
    return table
