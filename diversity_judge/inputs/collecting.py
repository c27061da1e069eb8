"""Gathers records into groups, and holds them to the contract.

Everything is checked before a judge is asked anything: a bad line must cost nothing. All faults are collected and
reported together, since a file with one bad line often has more of the same kind.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.inputs.accepting import accepted
from diversity_judge.inputs.fields import FIELDS, OPTIONAL_FIELDS, clean, faults, unsafe_ids
from diversity_judge.inputs.records import Found, RowError
from diversity_judge.inputs.references import REFERENCE_APPROACHES
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.text_safety import printable

MAX_REPORTED = 20
"""Faults that one error message lists; more of them fill a screen and say nothing new."""
_MAX_NAMED = 5
_NAME_LENGTH = 60


@dataclass(frozen=True)
class ReadInput:
    """A file or stream that was read.

    Attributes:
        path: As it was named.
        sha256: Of its bytes, hexadecimal.
    """

    path: str
    sha256: str


@dataclass(frozen=True)
class ReadResult:
    """What the input files hold.

    Attributes:
        groups: The groups, ordered by first appearance.
        warnings: Sentences that the user should see once: nothing wrong, but perhaps not what was meant.
        inputs: The files and streams that were read.
    """

    groups: tuple[Group, ...]
    warnings: tuple[str, ...] = ()
    inputs: tuple[ReadInput, ...] = ()

    @property
    def n_responses(self) -> int:
        """Number of responses in all groups."""
        return sum(group.n_responses for group in self.groups)


class Collector:
    """Gathers responses into groups, and faults and oddities into messages."""

    def __init__(self) -> None:
        self._faults: list[str] = []
        self._n_faults = 0
        self._groups: dict[tuple[str, str], list[Response]] = {}
        self._sample_places: dict[tuple[str, str], dict[str, str]] = {}
        self._problems: dict[str, tuple[str, str]] = {}
        self._n_surrogates = 0
        self._surrogate_place = ""
        self._empty_places: list[str] = []
        self._extra_fields: dict[str, str] = {}
        self._accepted: dict[str, list[str]] = {}
        self._empty_rows: list[str] = []

    def add_all(self, found: Iterable[Found], default_strategy: str) -> bool:
        """Add what was found in one input, row by row; returns whether there was anything.

        Args:
            found: What was found.
            default_strategy: Of rows that name none.
        """
        has_rows = False
        for item in found:
            has_rows = True
            if item.fault is not None:
                self.fault(item.place, item.fault)
            elif item.record is None:
                self._empty_rows.append(item.place)
            else:
                self._add(item.record, item.place, default_strategy, is_plain=item.is_plain)
        return has_rows

    def fault(self, place: str, message: str) -> None:
        """Note what is wrong at a place."""
        self._n_faults += 1
        if self._n_faults <= MAX_REPORTED:
            self._faults.append(f"{place}: {message}")

    def _add(self, record: Mapping[str, Any], place: str, default_strategy: str, *, is_plain: bool) -> None:
        if record.get("strategy") is None:
            record = {**record, "strategy": default_strategy}
        if unsafe := list(unsafe_ids(record)):  # Before anything is replaced in them: two ids must not become one.
            for message in unsafe:
                self.fault(place, message)
            return
        if not is_plain:
            try:
                record, n_surrogates = clean(record)
            except RecursionError:
                self.fault(place, "JSON is nested too deeply; write flat objects")
                return
            if n_surrogates:
                self._surrogate_place = self._surrogate_place or place
                self._n_surrogates += n_surrogates
        try:
            record, changes = accepted(record)
        except RowError as error:
            self.fault(place, str(error))
            return
        for change in changes:
            self._accepted.setdefault(change, []).append(place)
        found = list(faults(record))
        for message in found:
            self.fault(place, message)
        if not found:
            self._add_valid(record, place)

    def _add_valid(self, record: Mapping[str, Any], place: str) -> None:
        extras = {name: value for name, value in record.items() if name not in FIELDS}
        meta = extras | dict(record.get("meta") or {})
        if not _can_be_written(meta):
            self.fault(
                place, "meta holds a number that is not finite (as 1e999 is), or no JSON; write null or a number"
            )
            return
        problem_id = record["problem_id"]
        key = (problem_id, record["strategy"])
        group = self._groups.setdefault(key, [])
        sample_id = record.get("sample_id")
        if sample_id is None:
            sample_id = len(group)
        places = self._sample_places.setdefault(key, {})
        # As text, since 1 and "1" become the same cell of a table.
        if str(sample_id) in places:
            self.fault(
                place,
                f"sample_id {printable(repr(sample_id), _NAME_LENGTH)} of {_group_name(*key)} is taken by "
                f"{places[str(sample_id)]}; give each response of a group its own, or leave all out",
            )
            return
        places[str(sample_id)] = place
        for name in extras:
            if name != REFERENCE_APPROACHES:
                self._extra_fields.setdefault(name, place)
        if not record["response"].strip():
            self._empty_places.append(place)
        group.append(
            Response(
                problem_id=problem_id,
                text=record["response"],
                strategy=key[1],
                sample_id=sample_id,
                meta=meta,
                **{name: record.get(name) for name in OPTIONAL_FIELDS if name != "problem"},
                problem=self._problem_text(problem_id, record.get("problem"), place),
            )
        )

    def _problem_text(self, problem_id: str, text: str | None, place: str) -> str | None:
        """The problem's text, one object for all its responses: a file repeats it in every line."""
        if text is None:
            return None
        first_text, first_place = self._problems.setdefault(problem_id, (text, place))
        if text != first_text:
            self.fault(
                place,
                f"problem differs from that of {first_place} for problem_id "
                f"{printable(repr(problem_id), _NAME_LENGTH)}; use one text, or another problem_id",
            )
        return first_text

    def result(self, inputs: Iterable[ReadInput] = ()) -> ReadResult:
        """The groups, and what the user should know of them.

        Raises:
            InputError: there were faults.
        """
        if self._n_faults:
            more = self._n_faults - len(self._faults)
            tail = [f"... and {more} more faults"] if more else []
            raise InputError("\n".join(self._faults + tail))
        groups = tuple(
            Group(problem_id, strategy, tuple(members), self._problems.get(problem_id, (None,))[0])
            for (problem_id, strategy), members in self._groups.items()
        )
        return ReadResult(groups, tuple(self._warnings(groups)), tuple(inputs))

    def _warnings(self, groups: Sequence[Group]) -> Iterator[str]:
        lonely = [_group_name(group.problem_id, group.strategy) for group in groups if group.n_responses < 2]
        if lonely:
            yield f"{_named(lonely, 'group')} with one response only: no pair, so no diversity"
        if self._empty_places:
            yield f"{_named(self._empty_places, 'response')} without any text"
        if self._empty_rows:
            yield f"{_named(self._empty_rows, 'row')} with no responses left out"
        for change, places in self._accepted.items():
            yield f"{change} ({len(places)} response{'s' if len(places) > 1 else ''}, first {places[0]})"
        if self._n_surrogates:
            yield (
                f"{self._n_surrogates} lone surrogates (broken Unicode) replaced by U+FFFD, first in "
                f"{self._surrogate_place}"
            )
        for name, place in list(self._extra_fields.items())[:_MAX_NAMED]:
            close = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.8)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            shown = printable(repr(name), _NAME_LENGTH)
            yield f"{place}: {shown} is no field of the contract, kept in meta{hint}"
        if len(self._extra_fields) > _MAX_NAMED:
            yield f"{len(self._extra_fields) - _MAX_NAMED} more unknown fields kept in meta"


def _can_be_written(meta: Mapping[str, Any]) -> bool:
    """Whether the run folder can hold it: found out now, and not after the judge was paid."""
    try:
        return not meta or bool(json.dumps(meta, allow_nan=False))
    except (TypeError, ValueError):
        return False


def _group_name(problem_id: str, strategy: str) -> str:
    return f"{printable(problem_id, _NAME_LENGTH)} / {printable(strategy, _NAME_LENGTH)}"


def _named(names: Sequence[str], noun: str) -> str:
    shown = ", ".join(names[:_MAX_NAMED]) + (", ..." if len(names) > _MAX_NAMED else "")
    return f"{len(names)} {noun}{'s' if len(names) > 1 else ''} ({shown})"
