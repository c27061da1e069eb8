"""Labels that people gave to pairs of responses, as they stand in a file.

A row names its pair by the ids of a run (`problem_id, strategy, first, second`, as `labels read` writes them), or shows
its two texts (`response_a, response_b`, as published sets of labelled pairs do). Its label is a `score` of the rubric,
0 to 5, or `similar`, 0 or 1. Rows of several people name each in `annotator`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.files import text_of_cell
from diversity_judge.inputs.formats import PAIR_IDS, PAIR_TEXTS
from diversity_judge.inputs.jsonl import Line
from diversity_judge.inputs.opening import opened
from diversity_judge.inputs.records import kind
from diversity_judge.inputs.rows import Placed, placed_rows
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.text_safety import printable, well_formed

PAIR, IDENTICAL, UNRELATED = "pair", "control-identical", "control-unrelated"
"""What a label is of: a pair of the run, or a control with a known answer."""
KINDS = (PAIR, IDENTICAL, UNRELATED)
SCORE, SIMILAR = "score", "similar"
"""The two columns of which one holds the label."""
_HIGHEST = {SCORE: MAX_SCORE, SIMILAR: 1}
_IDS = ("problem_id", "strategy", "first", "second")
_MOST_NAMED = 20


@dataclass(frozen=True)
class Label:
    """What one person said of one pair.

    Attributes:
        place: Where it stands, as messages name it.
        value: 0..5, or 0 and 1 for labels that say only whether the two are similar.
        annotator: Who said it; empty where the file names nobody.
        kind: `pair`, `control-identical` or `control-unrelated`.
        ids: Problem, strategy, and the sample ids of both responses as text; None where the row names the texts.
        texts: SHA-256 of both texts, in the order of `ids`; None where they are not known.
        name: The row's own name of its pair, where it shows texts; may be the problem's id.
        sheet: The sheet on which it was given; empty for labels that were not given on one.
        probability: Chance with which this pair was chosen to be labelled; NaN where it is not known.
        group_probability: Chance that its group got a label; NaN likewise.
        n_pairs: Pairs of its group from which it was chosen, those of identical texts too; None likewise.
        n_asked: Of these, the pairs of texts that are not identical: those that could be chosen.
    """

    place: str
    value: float
    annotator: str = ""
    kind: str = PAIR
    ids: tuple[str, str, str, str] | None = None
    texts: tuple[str, str] | None = None
    name: str = ""
    sheet: str = ""
    probability: float = math.nan
    group_probability: float = math.nan
    n_pairs: int | None = None
    n_asked: int | None = None


@dataclass(frozen=True)
class Labels:
    """A file of labels.

    Attributes:
        path: The file.
        rows: What it holds, in its order.
        is_binary: Whether the labels are 0 and 1 (similar or not), not scores of the rubric.
    """

    path: Path
    rows: tuple[Label, ...]
    is_binary: bool

    @property
    def annotators(self) -> tuple[str, ...]:
        """Who labelled pairs, in order of appearance."""
        return tuple(dict.fromkeys(row.annotator for row in self.rows if row.kind == PAIR))


def text_digest(text: str) -> str:
    """SHA-256 (hexadecimal) of a response's text as it is stored."""
    return hashlib.sha256(well_formed(text)[0].encode()).hexdigest()


def read_labels(path: Path) -> Labels:
    """Read a file of labels: CSV, JSON lines, JSON or Parquet, plain or compressed with gzip.

    Raises:
        InputError: it cannot be read, holds no label, or rows are wrong; the message names each with file and line.
    """
    with opened(path) as file:
        rows = list(placed_rows(file))
        if file.suffix in (".csv", ".tsv"):  # Our own tables escape what a spreadsheet would compute.
            rows = [(place, _unescaped(line)) for place, line in rows]
    if not rows:
        raise InputError(f"{printable(str(path))}: holds no label; a label needs a pair and a score")
    column = _label_column(path, rows)
    labels, faults = [], []
    for place, line in rows:
        found = _label_or_fault(place, line, column)
        if isinstance(found, Label):
            labels.append(found)
        else:
            faults.append(found)
    faults += _given_twice(labels)
    if faults:
        raise InputError("\n".join(_first_of(faults)))
    return Labels(path, tuple(labels), column == SIMILAR)


def _first_of(faults: list[str]) -> list[str]:
    more = len(faults) - _MOST_NAMED
    return [*faults[:_MOST_NAMED], *([f"... and {more:,} more"] if more > 0 else [])]


def _unescaped(line: Line) -> Line:
    if not isinstance(line.value, dict):
        return line
    return replace(line, value={n: text_of_cell(v) if isinstance(v, str) else v for n, v in line.value.items()})


class _RowFaultError(ValueError):
    """What is wrong with a row."""


def _label_column(path: Path, rows: list[Placed]) -> str:
    found = {name for _, line in rows if isinstance(line.value, dict) for name in _HIGHEST if name in line.value}
    if not found:
        raise InputError(f"{printable(str(path))}: no row has a {SCORE} (0..{MAX_SCORE}) or a {SIMILAR} (0 or 1)")
    if len(found) > 1:
        raise InputError(f"{printable(str(path))}: holds both {SCORE} and {SIMILAR}; keep one of the two columns")
    return next(iter(found))


def _label_or_fault(place: str, line: Line, column: str) -> Label | str:
    if line.error is not None or not isinstance(line.value, dict):
        return f"{place}: {line.error or 'not a JSON object; write one object {...} on each line'}"
    try:
        return _label(place, line.value, column)
    except _RowFaultError as fault:
        return f"{place}: {fault}"


def _label(place: str, row: Mapping[str, Any], column: str) -> Label:
    which = str(row.get("kind", PAIR))
    if which not in KINDS:
        raise _RowFaultError(f"kind is {printable(repr(which), 40)}; it is one of {', '.join(KINDS)}")
    ids, texts = (_ids(row), _texts(row)) if which == PAIR else (None, None)
    if ids is None and texts is None and which == PAIR:
        raise _RowFaultError(f"names no pair: a label needs {', '.join(_IDS)}, or the texts {' and '.join(PAIR_TEXTS)}")
    return Label(
        place,
        _value(row, column),
        str(row.get("annotator", "")),
        which,
        ids,
        texts,
        next((str(row[name]) for name in ("problem_id", *PAIR_IDS) if row.get(name) is not None), ""),
        str(row.get("sheet", "")),
        _share(row, "probability"),
        _share(row, "group_probability"),
        _count(row, "n_pairs"),
        _count(row, "n_asked"),
    )


def _ids(row: Mapping[str, Any]) -> tuple[str, str, str, str] | None:
    if any(row.get(name) is None for name in _IDS):
        return None
    problem, strategy, first, second = (str(row[name]) for name in _IDS)
    if first == second:
        raise _RowFaultError(f"pairs the response {printable(first, 40)} with itself")
    return problem, strategy, first, second


def _texts(row: Mapping[str, Any]) -> tuple[str, str] | None:
    digests = [row.get(name) for name in ("first_sha256", "second_sha256")]
    if all(isinstance(digest, str) for digest in digests):
        return str(digests[0]), str(digests[1])
    found = [row.get(name) for name in PAIR_TEXTS]
    if all(text is None for text in found):
        return None
    for name, text in zip(PAIR_TEXTS, found, strict=True):
        if not isinstance(text, str):
            raise _RowFaultError(f"{name} is {kind(text)}; write the response's text")
    return text_digest(str(found[0])), text_digest(str(found[1]))


def _value(row: Mapping[str, Any], column: str) -> float:
    value, highest = row.get(column), _HIGHEST[column]
    wanted = f"a whole number from 0 to {highest}"
    if value is None:
        raise _RowFaultError(f"has no {column}; write {wanted}, or delete the row")
    text = str(int(value)) if isinstance(value, bool) else str(value).strip()
    number = _number(text)
    if not (number.is_integer() and 0 <= number <= highest):
        raise _RowFaultError(f"{column} is {printable(repr(value), 40)}; write {wanted}")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _share(row: Mapping[str, Any], name: str) -> float:
    if row.get(name) is None:
        return math.nan
    share = _number(str(row[name]))
    if not 0 < share <= 1:
        raise _RowFaultError(f"{name} is {printable(repr(row[name]), 40)}; a chance lies above 0 and at most at 1")
    return share


def _count(row: Mapping[str, Any], name: str) -> int | None:
    if row.get(name) is None:
        return None
    number = _number(str(row[name]))
    if not (number.is_integer() and number >= 1):
        raise _RowFaultError(f"{name} is {printable(repr(row[name]), 40)}; write a whole number from 1")
    return int(number)


def _given_twice(labels: list[Label]) -> list[str]:
    """Two labels of one person for one pair: nobody knows which of them holds."""
    seen: dict[Any, str] = {}
    faults = []
    for label in labels:
        if label.kind != PAIR:
            continue
        pair = (label.ids[:2], frozenset(label.ids[2:])) if label.ids else (label.name, frozenset(label.texts or ()))
        earlier = seen.setdefault((label.annotator, pair), label.place)
        if earlier != label.place:
            who = printable(label.annotator, 40) if label.annotator else "nobody is named in the column annotator"
            faults.append(f"{label.place}: labels the pair of {earlier} again ({who}); keep one label a person")
    return faults
