"""The fields of a `responses.jsonl` row: what each must be, and what to say where it is not.

The rules are a table, so that what is accepted and what the message asks for can't drift apart.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from diversity_judge.text_safety import printable, unsafe_in_a_name, well_formed


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    # JSON's 1e999 is infinite; an integer of a thousand digits has no float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


@dataclass(frozen=True)
class _Field:
    """A field of the contract: what a valid value is, in code and in words."""

    accepts: Callable[[object], bool]
    wanted: str
    is_required: bool = False


FIELDS = {
    "problem_id": _Field(_is_name, "a string that is not empty", is_required=True),
    "response": _Field(_is_text, "a string", is_required=True),
    "strategy": _Field(_is_name, "a string that is not empty"),
    "problem": _Field(_is_text, "a string or null"),
    "sample_id": _Field(lambda value: _is_whole(value) or _is_name(value), "a whole number or a string"),
    "answer": _Field(_is_text, "a string or null"),
    "correct": _Field(lambda value: isinstance(value, bool), "true, false or null"),
    "reward": _Field(_is_number, "a finite number or null"),
    "model": _Field(_is_text, "a string or null"),
    "seed": _Field(_is_whole, "a whole number or null"),
    "finish_reason": _Field(_is_text, "a string or null"),
    "n_tokens": _Field(_is_count, "a whole number, 0 or more, or null"),
    "meta": _Field(lambda value: isinstance(value, Mapping), "an object or null"),
}
OPTIONAL_FIELDS = ("problem", "answer", "correct", "reward", "model", "seed", "finish_reason", "n_tokens")


_IDS = ("problem_id", "strategy", "sample_id")


def unsafe_ids(record: Mapping[str, Any]) -> Iterator[str]:
    """Yields one sentence for each id with a character that would break a table, or make two ids one."""
    for name in _IDS:
        value = record.get(name)
        if isinstance(value, str) and (at := unsafe_in_a_name(value)) is not None:
            yield (
                f"{name} is {printable(repr(value), 40)}, with a {_kind(value[at])} as character {at + 1}; "
                "ids stand in tables and in the names of files: write it without"
            )


def _kind(character: str) -> str:
    if "\ud800" <= character <= "\udfff":
        return "lone surrogate (broken Unicode)"
    return "line break" if character in "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029" else "control character"


def faults(record: Mapping[str, Any]) -> Iterator[str]:
    """Yields one sentence for each field that is missing or holds what it must not."""
    for name, rule in FIELDS.items():
        value = record.get(name)
        if value is None:
            if rule.is_required:
                close = difflib.get_close_matches(name, [str(key) for key in record if key not in FIELDS], n=1)
                hint = f"; did you mean it by {printable(repr(close[0]), 40)}?" if close else ""
                yield f"{name} is missing; every response needs it, {rule.wanted}{hint}"
        elif not rule.accepts(value):
            yield f"{name} is {printable(repr(value), 40)}; it must be {rule.wanted}"


def clean(value: Any) -> tuple[Any, int]:
    """Replaces the lone surrogates in all strings of a JSON value; returns it and their number."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        pairs = [(clean(key), clean(item)) for key, item in value.items()]
        return {key[0]: item[0] for key, item in pairs}, sum(key[1] + item[1] for key, item in pairs)
    if isinstance(value, list):
        items = [clean(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    return value, 0
