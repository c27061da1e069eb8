"""Reading and checking files of responses, of the contract and of other tools.

Everything is read and checked before a judge is asked anything: a bad line must cost nothing. All faults are
collected and reported together, since a file with one bad line often has more of the same kind.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.inputs.fields import FIELDS, OPTIONAL_FIELDS, clean, faults
from diversity_judge.inputs.formats import (
    FORMATS,
    Converter,
    RowError,
    Source,
    converter,
    describe_sources,
    detect_format,
    is_parquet,
    read_parquet_rows,
)
from diversity_judge.inputs.jsonl import Line, read_json_lines
from diversity_judge.inputs.responses import DEFAULT_STRATEGY, Group, PathLike, Response
from diversity_judge.text_safety import printable

MAX_REPORTED = 20
"""Faults that one error message lists; more of them fill a screen and say nothing new."""
_MAX_NAMED = 5
_NAME_LENGTH = 60


@dataclass(frozen=True)
class ReadResult:
    """What the input files hold.

    Attributes:
        groups: The groups, ordered by first appearance.
        warnings: Sentences that the user should see once: nothing wrong, but perhaps not what was meant.
    """

    groups: tuple[Group, ...]
    warnings: tuple[str, ...] = ()

    @property
    def n_responses(self) -> int:
        """Number of responses in all groups."""
        return sum(group.n_responses for group in self.groups)


def read_responses(
    paths: PathLike | Sequence[PathLike], *, format: str = "auto", strategy: str | None = None
) -> ReadResult:
    """Reads, checks and groups the responses of one file or several.

    Args:
        paths: JSON lines files (plain or gzip) of the contract or a format of `formats`, or Parquet files.
        format: One of `formats.FORMATS`, or "auto" to tell each file's format by its first row.
        strategy: Strategy of the rows that name none. Without it such rows are "default", or in several files
            of an evaluation harness are named by their folder.

    Returns:
        Groups and warnings. No group shares a problem and strategy with another; sample ids are unique in a
        group even as text; no string holds a lone surrogate; all texts of a problem's statement are the same.

    Raises:
        InputError: A file can't be read or a row breaks the contract. The message has one line a fault, each
            `file:line: what is wrong; what to do`.
    """
    files = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not files:
        raise InputError("no input file; name at least one responses.jsonl")
    _check_format(format)
    collector = _Collector()
    for path, place in zip(files, describe_sources(files), strict=True):
        _read_file(path, format, replace(place, strategy=strategy), collector)
    return collector.result()


def read_lines(lines: Iterable[tuple[str, Line]], *, format: str = "auto") -> ReadResult:
    """Checks and groups rows that are in memory, by the same rules and with the same messages as those of a file.

    Args:
        lines: Where a row stands, as a message names it, and the row: a dict of the contract's fields, or of those of
            a format of `formats`.
        format: As `read_responses` takes it.

    Returns:
        As `read_responses`.

    Raises:
        InputError: A row breaks the contract. The message has one line a fault, each `place: what is wrong`.
    """
    _check_format(format)
    collector = _Collector()
    if not _read_lines(lines, None if format == "auto" else format, Source(), collector):
        collector.fault("responses", "holds no responses; give at least one")
    return collector.result()


# --- all rows -------------------------------------------------------------------------------------


class _Collector:
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
        self.empty_rows: list[str] = []

    def fault(self, place: str, message: str) -> None:
        self._n_faults += 1
        if self._n_faults <= MAX_REPORTED:
            self._faults.append(f"{place}: {message}")

    def add(self, record: Mapping[str, Any], place: str, default_strategy: str, *, is_plain: bool) -> None:
        if not is_plain:
            try:
                record, n_surrogates = clean(record)
            except RecursionError:
                self.fault(place, "JSON is nested too deeply; write flat objects")
                return
            if n_surrogates:
                self._surrogate_place = self._surrogate_place or place
                self._n_surrogates += n_surrogates
        found = list(faults(record))
        for message in found:
            self.fault(place, message)
        if not found:
            self._add_valid(record, place, default_strategy)

    def _add_valid(self, record: Mapping[str, Any], place: str, default_strategy: str) -> None:
        extras = {name: value for name, value in record.items() if name not in FIELDS}
        meta = extras | dict(record.get("meta") or {})
        if not _can_be_written(meta):
            self.fault(
                place, "meta holds a number that is not finite (as 1e999 is), or no JSON; write null or a number"
            )
            return
        problem_id = record["problem_id"]
        key = (problem_id, record.get("strategy") or default_strategy)
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

    def result(self) -> ReadResult:
        if self._n_faults:
            more = self._n_faults - len(self._faults)
            tail = [f"... and {more} more faults"] if more else []
            raise InputError("\n".join(self._faults + tail))
        groups = tuple(
            Group(problem_id, strategy, tuple(members), self._problems.get(problem_id, (None,))[0])
            for (problem_id, strategy), members in self._groups.items()
        )
        return ReadResult(groups, tuple(self._warnings(groups)))

    def _warnings(self, groups: Sequence[Group]) -> Iterator[str]:
        lonely = [_group_name(group.problem_id, group.strategy) for group in groups if group.n_responses < 2]
        if lonely:
            yield f"{_named(lonely, 'group')} with one response only: no pair, so no diversity"
        if self._empty_places:
            yield f"{_named(self._empty_places, 'response')} without any text"
        if self.empty_rows:
            yield f"{_named(self.empty_rows, 'row')} with no responses left out"
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


# --- one file -------------------------------------------------------------------------------------


def _check_format(name: str) -> None:
    if name not in ("auto", *FORMATS):
        raise InputError(f"format {printable(name, 40)!r} is unknown; use auto or one of {', '.join(FORMATS)}")


def _read_file(path: Path, format_name: str, source: Source, collector: _Collector) -> None:
    shown = printable(str(path))
    is_table = is_parquet(path)
    if is_table and format_name not in ("auto", "lighteval"):
        raise InputError(f"{shown}: is a Parquet file, not {format_name}; use --format lighteval or leave it out")
    if format_name == "lighteval" and not is_table and path.exists():
        raise InputError(f"{shown}: is not a Parquet file; LightEval writes details_TASK_DATE.parquet")
    lines = _parquet_lines(path) if is_table else read_json_lines(path)
    known_format = "lighteval" if is_table else None if format_name == "auto" else format_name
    places = ((f"{shown}:{line.number}", line) for line in lines)
    if not _read_lines(places, known_format, source, collector):
        collector.fault(shown, "holds no responses; check that it was written to the end")


def _read_lines(
    lines: Iterable[tuple[str, Line]], format_name: str | None, source: Source, collector: _Collector
) -> bool:
    """Reads rows of one source; without a format, the first row tells it. Returns whether there was any."""
    convert = None if format_name is None else converter(format_name, source)
    has_rows = False
    for place, line in lines:
        has_rows = True
        if line.error is not None:
            collector.fault(place, line.error)
        elif not isinstance(line.value, dict):
            collector.fault(place, "not a JSON object; write one object {...} on each line")
        else:
            if convert is None:
                convert = converter(_detect(line.value, place), source)
            _add_row(line, convert, place, source.strategy or DEFAULT_STRATEGY, collector)
    return has_rows


def _add_row(line: Line, convert: Converter, place: str, strategy: str, collector: _Collector) -> None:
    try:
        records = convert(line.value)
    except RowError as error:
        collector.fault(place, str(error))
        return
    if records == []:
        collector.empty_rows.append(place)
    for number, record in enumerate(records or (), start=1):
        where = place if len(records or ()) == 1 else f"{place} (response {number})"
        collector.add(record, where, strategy, is_plain=line.is_plain)


def _detect(row: Mapping[str, Any], place: str) -> str:
    found = detect_format(row)
    if found is None:
        fields = printable(", ".join(row), 120)
        raise InputError(
            f"{place}: can't tell the format from the fields ({fields}); a response needs problem_id and "
            f"response; for another format use --format {'|'.join(FORMATS)}"
        )
    return found


def _parquet_lines(path: Path) -> Iterator[Line]:
    return (Line(number, row) for number, row in enumerate(read_parquet_rows(path), start=1))
