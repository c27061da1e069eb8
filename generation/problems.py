"""Problems to sample responses for, read from JSON Lines or CSV and checked before an engine starts.

An engine start takes minutes and a GPU; a typing error in line 400 must be found before it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from diversity_judge.countdown import read_problem
from diversity_judge.errors import InputError
from diversity_judge.files import read_bounded

MAX_CHOICES = len(string.ascii_uppercase)
FIELDS = ("problem_id", "problem", "answer", "choices", "meta")


class ProblemKind(str, Enum):
    """What a final answer is, and with it how a response is prompted, read and graded."""

    MATH = "math"
    CHOICE = "choice"
    CODE = "code"
    COUNTDOWN = "countdown"


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        problem_id: Unique within a run.
        text: What the model is asked, without the prompt format's instructions.
        answer: The reference: an expression for mathematics, a letter for multiple choice, the problem itself for
            countdown, None where unknown.
        choices: The options of a multiple-choice problem, in the order of their letters A, B, C, ...
        kind: How to prompt and grade it.
        meta: Carried into every response's `meta`.
    """

    problem_id: str
    text: str
    answer: str | None = None
    choices: tuple[str, ...] = ()
    kind: ProblemKind = ProblemKind.MATH
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of what the model sees and is graded by; `meta` may change freely."""
        content = [self.text, self.answer, list(self.choices), self.kind.value]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def read_problems(path: Path) -> tuple[Problem, ...]:
    """Read a file of problems: `.csv` by its header line, anything else as JSON Lines.

    Fields: `problem_id`, `problem`, and optionally `answer`, `choices` (a list of strings; in CSV a JSON
    list) and `meta` (an object; its `kind`, one of math, choice, code, countdown, overrides what choices imply).

    Raises:
        InputError: the file cannot be read or a line is wrong; the message starts with `file:line:`.
    """
    try:
        text = read_bounded(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the problems: {error}") from error
    rows = _csv_rows(text, path) if path.suffix.lower() == ".csv" else _jsonl_rows(text, path)
    return check_unique((problem_from_row(row, where=where), where) for where, row in rows)


def check_unique(problems: Iterable[tuple[Problem, str]]) -> tuple[Problem, ...]:
    """Refuse a problem id that occurs twice, and an empty set.

    Raises:
        InputError: as said.
    """
    seen: dict[str, str] = {}
    result = []
    where = ""
    for problem, where in problems:
        if problem.problem_id in seen:
            raise InputError(f"{where}: problem_id {problem.problem_id!r} occurs before, at {seen[problem.problem_id]}")
        seen[problem.problem_id] = where
        result.append(problem)
    if not result:
        raise InputError("there are no problems in the input: one a line is needed")
    return tuple(result)


def problem_from_row(row: Mapping[str, Any], *, where: str) -> Problem:
    """Check one row's fields and make a problem of it.

    Raises:
        InputError: a field is missing, unknown or of the wrong type; the message starts with `where`.
    """
    unknown = sorted(set(row) - set(FIELDS))
    if unknown:
        raise InputError(f"{where}: unknown field {unknown[0]!r} (known: {', '.join(FIELDS)}; put others in meta)")
    choices = _choices(row.get("choices"), where)
    meta = row.get("meta") or {}
    if not isinstance(meta, Mapping):
        raise InputError(f"{where}: meta must be an object, not {type(meta).__name__}")
    kind = _kind(meta.get("kind"), choices, where)
    text = _required_text(row, "problem", where)
    answer = _answer(row.get("answer"), kind, choices, where)
    return Problem(
        problem_id=_required_text(row, "problem_id", where),
        text=text,
        answer=_countdown(text, where) if kind is ProblemKind.COUNTDOWN else answer,
        choices=choices,
        kind=kind,
        meta=dict(meta),
    )


def _jsonl_rows(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # Not splitlines(): it also splits at U+2028 and the like, which are legal inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not valid JSON: {error}") from error
        if not isinstance(row, dict):
            raise InputError(f"{where}: a line must be a JSON object, not {type(row).__name__}")
        yield where, row


def _csv_rows(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if reader.fieldnames is None or "problem_id" not in reader.fieldnames:
        raise InputError(f"{path}:1: the header line must name problem_id and problem")
    for raw in reader:
        where = f"{path}:{reader.line_num}"
        if None in raw or None in raw.values():
            raise InputError(f"{where}: the number of fields differs from the header's")
        row: dict[str, Any] = {key: value for key, value in raw.items() if value != ""}
        for key in ("choices", "meta"):
            if key in row:
                try:
                    row[key] = json.loads(row[key])
                except json.JSONDecodeError as error:
                    raise InputError(f"{where}: {key} must hold JSON: {error}") from error
        yield where, row


def _required_text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if key == "problem_id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {key} must be a non-empty string, not {value!r}")
    return value


def _choices(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(choice, str) for choice in value):
        raise InputError(f"{where}: choices must be a list of strings")
    if not 2 <= len(value) <= MAX_CHOICES:
        raise InputError(f"{where}: choices must hold 2 to {MAX_CHOICES} options, not {len(value)}")
    return tuple(value)


def _kind(value: Any, choices: tuple[str, ...], where: str) -> ProblemKind:
    if value is None:
        return ProblemKind.CHOICE if choices else ProblemKind.MATH
    try:
        kind = ProblemKind(value)
    except ValueError:
        known = ", ".join(item.value for item in ProblemKind)
        raise InputError(f"{where}: meta.kind must be one of {known}, not {value!r}") from None
    if (kind is ProblemKind.CHOICE) != bool(choices):
        raise InputError(f"{where}: meta.kind {kind.value!r} and choices contradict each other")
    return kind


def _countdown(text: str, where: str) -> str:
    """The reference of a countdown problem: its numbers and target say which solutions are right."""
    try:
        return read_problem(text).text
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def _answer(value: Any, kind: ProblemKind, choices: tuple[str, ...], where: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InputError(f"{where}: answer must be a string or a number, not {type(value).__name__}")
    answer = str(value).strip()
    if not answer:
        return None
    if kind is ProblemKind.CHOICE:
        letters = string.ascii_uppercase[: len(choices)]
        if answer.upper() not in letters or len(answer) != 1:
            raise InputError(f"{where}: answer must be one of the letters {', '.join(letters)}, not {answer!r}")
        return answer.upper()
    return answer
