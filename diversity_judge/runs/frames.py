"""The tables of a run as data frames: ids and texts as they are, numbers as numbers."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from diversity_judge.files import text_of_cell

_TEXT_COLUMNS = (
    "problem_id",
    "strategy",
    "first",
    "second",
    "missing",
    "key",
    "interval",
    "judge",
    "prompt",
    "group",
    "sample",
    "reference_missing",
    "reference_key",
    "estimator",
)
"""Read as they are: an id "NA" or "007" is neither missing nor a number."""


def read_frame(table: Path | str) -> pd.DataFrame:
    """Reads a table as `score` writes it.

    Args:
        table: Path of the CSV file, or its text.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no such table.
    """
    columns = pd.read_csv(_source(table), nrows=0).columns
    text = [column for column in _TEXT_COLUMNS if column in columns]
    frame = pd.read_csv(
        _source(table),
        dtype=dict.fromkeys(text, str),
        keep_default_na=False,
        na_values={column: [""] for column in columns if column not in text},
    )
    return frame.assign(**{column: frame[column].map(text_of_cell) for column in text})


def _source(table: Path | str) -> Path | io.StringIO:
    return table if isinstance(table, Path) else io.StringIO(table)
