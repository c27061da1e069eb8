"""What is taken though the contract has it otherwise, because what is meant is certain; each is said once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diversity_judge.inputs.records import Record, RowError
from diversity_judge.rubric import THINK_START, split_thinking, with_thinking
from diversity_judge.text_safety import printable

REASONING_FIELDS = ("reasoning", "reasoning_content")
"""Where servers and loaders put the thinking of a response, apart from its text."""


def accepted(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """A record as the contract has it, and what was done to it.

    Numbers as problem ids become text, 0 and 1 as `correct` false and true, and a reasoning beside the response
    becomes its thinking.

    Raises:
        RowError: the reasoning beside the response is another one than that in it.
    """
    changes = dict(_changes(record))
    if not changes and record.keys().isdisjoint(REASONING_FIELDS):  # Nearly every record.
        return record, []
    result = {name: value for name, value in record.items() if name not in REASONING_FIELDS or not _is_reasoning(value)}
    text = record.get("response")
    reasoning = _reasoning(record)
    if reasoning and isinstance(text, str):
        result["response"] = _joined(reasoning, text)
        changes["the reasoning beside the response is read as its thinking"] = {}
    for change in changes.values():
        result |= change
    return result, list(changes)


def _changes(record: Mapping[str, Any]) -> Iterator[tuple[str, Record]]:
    problem_id, correct = record.get("problem_id"), record.get("correct")
    if isinstance(problem_id, int) and not isinstance(problem_id, bool):
        yield "problem_id is a number, read as text", {"problem_id": str(problem_id)}
    if isinstance(correct, int | float) and not isinstance(correct, bool) and correct in (0, 1):
        yield "correct is 0 or 1, read as false or true", {"correct": bool(correct)}


def _is_reasoning(value: object) -> bool:
    """A text, or nothing; an object of that name holds settings and is kept as any unknown field."""
    return value is None or isinstance(value, str)


def _reasoning(record: Mapping[str, Any]) -> str | None:
    found = {value.strip(): value for name in REASONING_FIELDS if isinstance(value := record.get(name), str)}
    found.pop("", None)
    if len(found) > 1:
        raise RowError(f"{' and '.join(REASONING_FIELDS)} are two different texts; keep one of them")
    return next(iter(found.values()), None)


def _joined(reasoning: str, text: str) -> str:
    thinking, _ = split_thinking(text)
    if thinking is None:
        return with_thinking(reasoning, text)
    own = thinking.lstrip("\ufeff").strip().removeprefix(THINK_START).strip()
    if own != reasoning.strip():
        raise RowError(
            "the response holds its own thinking, and the reasoning beside it is another text "
            f"({printable(reasoning.strip(), 40)!r}); keep one of them"
        )
    return text
