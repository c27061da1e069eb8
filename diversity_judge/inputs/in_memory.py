"""Responses that are in memory already, as a notebook has them: rows, `Response`s, a data frame, texts by strategy.

Each form is only unpacked into rows of the contract; all checks are those of a file. A message names a row by the
expression that finds it, such as `responses[3]`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from diversity_judge.errors import InputError
from diversity_judge.inputs.fields import FIELDS
from diversity_judge.inputs.jsonl import Line
from diversity_judge.inputs.reading import ReadResult, read_lines, read_responses
from diversity_judge.inputs.responses import PathLike, Response
from diversity_judge.text_safety import printable

if TYPE_CHECKING:
    import pandas as pd

Given: TypeAlias = "PathLike | Iterable[PathLike] | InMemory | Rows"
"""What Python functions take for responses: files of them, or what is in memory."""
Rows: TypeAlias = (
    "Iterable[Mapping[str, Any]] | Iterable[Response] | Mapping[str, Mapping[str, Iterable[str]]] | pd.DataFrame"
)
"""Rows of the contract, responses, `{strategy: {problem: [texts]}}`, or a data frame with the contract's columns."""

_NAME = "responses"
_WHOLE = ("sample_id", "seed", "n_tokens")
"""Fields of whole numbers, which a data frame turns into fractions as soon as one of them is missing."""
_FORMS = "give a path, a list of paths, of dicts or of Response, a data frame, or {strategy: {problem: [texts]}}"


@dataclass(frozen=True, eq=False)
class InMemory:
    """Responses that are in memory, as a value of options holds them.

    Attributes:
        rows: The rows; they are read when they are scored.
    """

    rows: Rows

    def __repr__(self) -> str:
        return f"InMemory({self.description})"

    @property
    def description(self) -> str:
        """Which kind of rows, and how many where that is known."""
        size = f" of {len(self.rows):,}" if isinstance(self.rows, Sized) else ""
        return f"{type(self.rows).__name__}{size}"


def as_inputs(given: Given) -> tuple[Path, ...] | InMemory:
    """Tell paths from responses.

    Raises:
        InputError: there are both.
    """
    if isinstance(given, str | os.PathLike):
        return (Path(given),)
    if isinstance(given, InMemory):
        return given
    if _is_frame(given) or isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
        return InMemory(cast(Rows, given))
    items = tuple(given)
    paths = [Path(item) for item in items if isinstance(item, str | os.PathLike)]
    if paths and len(paths) < len(items):
        raise InputError(f"{_NAME}: holds paths and responses; {_FORMS}")
    return tuple(paths) if paths else InMemory(cast(Rows, items))


def read_inputs(inputs: tuple[Path, ...] | InMemory, *, format: str = "auto") -> ReadResult:
    """Reads, checks and groups responses, wherever they are; see `read_responses` and `read_rows`."""
    if isinstance(inputs, InMemory):
        return read_rows(inputs.rows, format=format)
    return read_responses(inputs, format=format)


def read_rows(rows: Rows, *, format: str = "auto") -> ReadResult:
    """Checks and groups responses that are in memory.

    Args:
        rows: In one of the forms of `Rows`. They are copied: what happens to them later changes nothing.
        format: As `read_responses` takes it.

    Returns:
        As `read_responses`.

    Raises:
        InputError: A row breaks the contract, or this is none of the forms. The message has one line a fault.
    """
    return read_lines(_lines(rows), format=format)


def _lines(rows: Rows) -> Iterator[tuple[str, Line]]:
    for number, (place, row) in enumerate(_records(rows), start=1):
        yield place, _line(number, row)


def _records(rows: Any) -> Iterator[tuple[str, Any]]:
    """Where each row stands, and the row."""
    if _is_frame(rows):
        yield from _frame_records(rows)
    elif isinstance(rows, Mapping):
        yield from _nested_records(rows)
    elif isinstance(rows, Iterable) and not isinstance(rows, str | bytes):
        for number, row in enumerate(rows):
            yield f"{_NAME}[{number}]", _record(row) if isinstance(row, Response) else row
    else:
        raise InputError(f"{_NAME}: is of the type {type(rows).__name__}; {_FORMS}")


def _is_frame(rows: object) -> bool:
    """Whether this is a data frame; where pandas was never imported, nothing is one."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def _frame_records(frame: pd.DataFrame) -> Iterator[tuple[str, dict[Any, Any]]]:
    columns = list(frame.columns)
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise InputError(
            f"{_NAME}: has {columns.count(twice[0])} columns {printable(repr(twice[0]), 60)}; keep one of them"
        )
    # An object a cell: the values of a row keep the types of their columns.
    known = frame.notna().to_numpy()
    cells = zip(*(frame.iloc[:, number].tolist() for number in range(len(columns))), strict=True)
    for number, (values, has_value) in enumerate(zip(cells, known, strict=True)):
        row = {name: value for name, value, has in zip(columns, values, has_value, strict=True) if has}
        for name in _WHOLE:
            if isinstance(row.get(name), float) and row[name].is_integer():
                row[name] = int(row[name])
        yield f"{_NAME}.iloc[{number}]", row


def _nested_records(by_strategy: Mapping[Any, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for strategy, problems in by_strategy.items():
        place = f"{_NAME}[{printable(repr(strategy), 60)}]"
        if not isinstance(problems, Mapping):
            raise InputError(
                f"{place}: is of the type {type(problems).__name__}; write {{strategy: {{problem: [texts]}}}}"
            )
        for problem_id, texts in problems.items():
            where = f"{place}[{printable(repr(problem_id), 60)}]"
            if isinstance(texts, str) or not isinstance(texts, Iterable):
                raise InputError(f"{where}: is of the type {type(texts).__name__}; write a list of texts")
            for number, text in enumerate(texts):
                yield f"{where}[{number}]", {"strategy": strategy, "problem_id": problem_id, "response": text}


def _record(response: Response) -> dict[str, Any]:
    fields = {field.name: getattr(response, field.name) for field in dataclasses.fields(response)}
    return {"response": fields.pop("text"), **fields}


def _line(number: int, row: Any) -> Line:
    """The row as JSON would hold it: a copy, and nothing in it that the run folder could not take after the calls."""
    if not isinstance(row, Mapping):
        return Line(number, error=f"is of the type {type(row).__name__}, not a dict; {_FORMS}")
    if other := [name for name in row if not isinstance(name, str)]:
        return Line(number, error=f"has the field {printable(repr(other[0]), 40)}; names of fields are strings")
    record = {name: _python(value) for name, value in row.items()}
    for name, value in record.items():
        if name in FIELDS and name != "meta":
            continue
        try:
            record[name] = json.loads(json.dumps(value, allow_nan=False, default=_python_or_refuse))
        except (TypeError, ValueError, RecursionError):
            shown = printable(repr(value), 60)
            return Line(number, error=f"{name} is {shown}, which JSON cannot hold; give text, numbers, lists and dicts")
    return Line(number, record)


def _python(value: Any) -> Any:
    """A number of numpy's as Python's own; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _python_or_refuse(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError
