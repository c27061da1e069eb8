"""The ledger that a run folder names: a run goes on with it, wherever the folder has gone since."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from diversity_judge.errors import InputError
from diversity_judge.runs.batches import RECORD, Stage, batch_folder, read_record
from diversity_judge.runs.layout import MANIFEST, read_manifest
from diversity_judge.runs.ledger_place import lies_in, recorded_place
from diversity_judge.scoring.options import ScoreOptions


class _Named(NamedTuple):
    """A ledger that a record names.

    Attributes:
        by: The record.
        place: Where the ledger is to be found.
        was_there: Whether it existed when the record was written.
    """

    by: Path
    place: Path
    was_there: bool


def with_known_ledger(options: ScoreOptions) -> ScoreOptions:
    """The same options, with the ledger that the records of the run folder name, where none is given.

    Raises:
        InputError: that ledger is not there, so that what it holds would be bought again; or two are named.
    """
    folder = options.folder
    if options.ledger is not None or folder is None:
        return options
    named = _one_of(folder, _named(folder, is_replaced=options.overwrite))
    if named is None:
        return options
    is_missing = named.was_there and not named.place.is_file()
    if is_missing and not (options.overwrite or options.judge.is_embedded):
        raise InputError(
            f"{named.by}: the ledger of this folder, {named.place}, is not there, and what it holds would be bought "
            "again: bring it there, name it with --ledger, or buy everything anew with --overwrite"
        )
    return options if is_missing else replace(options, ledger=named.place)


def _named(folder: Path, *, is_replaced: bool) -> Iterator[_Named]:
    """By run.json and by the record of a batch; one that cannot be read names none where the run is replaced."""
    for named in (_by_the_run, _by_its_batch):
        try:
            found = named(folder)
        except InputError:
            if not is_replaced:
                raise
            continue
        if found is not None:
            yield found


def _by_the_run(folder: Path) -> _Named | None:
    path = folder / MANIFEST
    place = recorded_place(folder, read_manifest(folder) or {}, path)
    return None if place is None else _Named(path, place, was_there=True)


def _by_its_batch(folder: Path) -> _Named | None:
    record = read_record(folder)
    if record is None:
        return None
    has_results = any(file.stage is Stage.DONE for file in record.files)
    return _Named(batch_folder(folder) / RECORD, record.ledger, has_results or not lies_in(folder, record.ledger))


def _one_of(folder: Path, named: Iterator[_Named]) -> _Named | None:
    found = list(named)
    if len({os.path.realpath(one.place) for one in found}) > 1:
        said = ", ".join(f"{one.by.relative_to(folder)} names {one.place}" for one in found)
        raise InputError(f"{folder}: {said}: say with --ledger which of these ledgers is meant")
    return next(iter(found), None)
