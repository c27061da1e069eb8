"""What the readers of all formats share: a record, where it was found, and how a part of a row is taken out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.rubric import with_thinking

Record = dict[str, Any]
"""A row shaped as the contract has it, still unchecked."""

Converter = Callable[[Mapping[str, Any]], list[Record] | None]
"""Turns a row into its records; None for a row that repeats another. Raises `RowError`."""

_KINDS = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


class RowError(ValueError):
    """A row that does not follow its format; says what is wrong and what to do."""


class UnknownFormatError(InputError):
    """A row of which no format can be told."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found at a place of an input.

    Attributes:
        place: As messages name it.
        record: A response, still unchecked; None where there is none.
        fault: What is wrong there; with neither, the row holds no response.
        is_plain: Whether it surely holds no lone surrogate and isn't nested deeply, so that it needs no second look.
    """

    place: str
    record: Record | None = None
    fault: str | None = None
    is_plain: bool = False


def list_field(row: Mapping[str, Any], name: str) -> list[Any]:
    """A field that must be a list."""
    value = row.get(name)
    if not isinstance(value, list):
        raise RowError(f"{name} is {kind(value)}; write a list")
    return value


def mapping_field(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that is an object; an empty one where it is anything else."""
    value = row.get(name)
    return value if isinstance(value, Mapping) else {}


def id_text(value: object, name: str) -> str:
    """An id that may be a whole number, as text."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowError(f"{name} is {kind(value)}; every row needs one, a string or a whole number")


def with_reasoning(text: object, reasoning: object) -> object:
    """A reasoning model's response as one text; what is no text stays as it is, for the contract to refuse."""
    return with_thinking(reasoning, text) if isinstance(reasoning, str) and isinstance(text, str) else text


def kind(value: object) -> str:
    """What a value is, in words."""
    if value is None:
        return "missing"
    if value == "":
        return "empty"
    return _KINDS.get(type(value), type(value).__name__)
