"""Grade lines of a responses file by what sampling left in their `meta`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diversity_judge.errors import InputError
from generation.grading.grader import Grade, Grader
from generation.problems import Problem, ProblemKind


def problem_of(row: Mapping[str, Any], where: str) -> Problem:
    """What a response is graded by, without the wording of the problem: its kind, reference and number of choices.

    Args:
        row: A line of a responses file.
        where: How errors name it.

    Raises:
        InputError: its `meta` cannot be understood.
    """
    meta = row.get("meta") or {}
    if not isinstance(meta, Mapping):
        raise InputError(f"{where}: meta must be an object")
    try:
        kind = ProblemKind(meta.get("kind", ProblemKind.MATH.value))
        choices = ("",) * int(meta.get("n_choices") or 0)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: meta: {error}") from error
    reference = meta.get("reference")
    return Problem(str(row["problem_id"]), "", None if reference is None else str(reference), choices, kind)


def grade_row(row: dict[str, Any], problem: Problem, grader: Grader) -> Grade:
    """Put a response's answer and grade into its line, in place of earlier ones; returns the grade."""
    grade = grader.grade(row["response"], problem.kind, problem.answer, n_choices=len(problem.choices))
    row["answer"], row["correct"] = grade.answer, grade.correct
    meta = dict(row.get("meta") or {})
    meta.pop("grading", None)
    row["meta"] = meta | ({"grading": grade.reason} if grade.reason else {})
    return grade
