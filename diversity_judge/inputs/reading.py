"""Reading files of responses, of the contract and of other tools.

    paths -> opened once -> rows -> records -> groups
    (opening)  (rows: jsonl, tabular, inspect_logs)  (formats, chat_formats)  (collecting)

Data flows from left to right; no step calls the one before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from diversity_judge import cycles
from diversity_judge.choices import FORMATS
from diversity_judge.errors import InputError
from diversity_judge.inputs.collecting import MAX_REPORTED, Collector, ReadInput, ReadResult
from diversity_judge.inputs.formats import found_in, what_can_be_read
from diversity_judge.inputs.jsonl import Line
from diversity_judge.inputs.opening import opened, refuse_the_same_stream_twice
from diversity_judge.inputs.records import Found, UnknownFormatError
from diversity_judge.inputs.responses import DEFAULT_STRATEGY, PathLike
from diversity_judge.inputs.rows import CSV, is_table, placed_rows, with_folders_opened
from diversity_judge.inputs.sources import Source, describe_sources, join_problems
from diversity_judge.text_safety import printable

__all__ = ["MAX_REPORTED", "ReadResult", "read_lines", "read_responses"]

_MOST_FAULTS = 1_000
"""In one input, after which it is not read on: it is no such file, and may have no end."""


@cycles.not_sought()
def read_responses(
    paths: PathLike | Sequence[PathLike], *, format: str = "auto", strategy: str | None = None
) -> ReadResult:
    """Reads, checks and groups the responses of one file or several.

    Args:
        paths: Files (plain or gzip) of the contract or a format of `formats`, pipes, `-` for standard input, or the
            folders of data sets. Each is opened once.
        format: One of `formats.FORMATS`, or "auto" to tell each file's format by its first row.
        strategy: Strategy of the rows that name none. Without it such rows are "default", or in several files
            of an evaluation harness are named by their folder.

    Returns:
        Groups and warnings. No group shares a problem and strategy with another; sample ids are unique in a
        group even as text; no id holds a control character and no string a lone surrogate; all texts of a problem's
        statement are the same.

    Raises:
        InputError: A file can't be read or a row breaks the contract. The message has one line a fault, each
            `file:line: what is wrong; what to do`.
    """
    named = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not named:
        raise InputError("no input file; name at least one responses.jsonl")
    _check_format(format)
    files = list(with_folders_opened(named))
    refuse_the_same_stream_twice(files)
    sources = [replace(source, strategy=strategy) for source in describe_sources(files)]
    inputs, found = [], []
    for path, source in zip(files, sources, strict=True):
        what, read = _read_file(path, format, source)
        found.append(what)
        inputs.append(read)
    join_problems(files, sources, found)
    collector = Collector()
    for path, source, what in zip(files, sources, found, strict=True):
        if not collector.add_all(what, source.strategy or DEFAULT_STRATEGY):
            collector.fault(printable(str(path)), "holds no responses; check that it was written to the end")
    return collector.result(inputs)


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
    collector = Collector()
    found = found_in(lines, None if format == "auto" else format, Source())
    if not collector.add_all(found, DEFAULT_STRATEGY):
        collector.fault("responses", "holds no responses; give at least one")
    return collector.result()


def _check_format(name: str) -> None:
    if name not in ("auto", *FORMATS):
        raise InputError(f"format {printable(name, 40)!r} is unknown; use auto or one of {', '.join(FORMATS)}")


def _read_file(path: Path, format_name: str, source: Source) -> tuple[list[Found], ReadInput]:
    with opened(path) as file:
        if format_name == "lighteval" and not is_table(file):
            raise InputError(f"{file.shown}: is not a Parquet file; LightEval writes details_TASK_DATE.parquet")
        rows = placed_rows(file, is_csv=format_name == CSV)
        found: list[Found] = []
        n_faults = 0
        try:
            for item in found_in(rows, None if format_name == "auto" else format_name, source):
                found.append(item)
                n_faults += item.fault is not None
                if n_faults == _MOST_FAULTS:
                    break
        except UnknownFormatError:
            # The faults before the first row that could be read say more than that its format is unknown.
            if not n_faults:
                raise
        if format_name == "auto" and 0 < n_faults == len(found):
            found[0] = replace(found[0], fault=f"{found[0].fault}. {what_can_be_read()}")
        # The hash needs all of the input, which may have no end; with a fault nothing comes of it.
        return found, ReadInput(str(path), "" if n_faults else file.sha256())
