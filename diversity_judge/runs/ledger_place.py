"""Where the ledger of a run folder lies: how a record names it, and where it is found from the folder as named today.

What lies in the folder is named relative to it, so that a copy reads itself and a moved folder goes on. What
`--ledger` put elsewhere is named by its absolute path, and is followed from wherever a command runs. An older record
holds the path as it was typed, and does not say which of both it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diversity_judge.runs.layout import LEDGER, MANIFEST, entry_or_none

ENTRY, PLACE = "ledger", "ledger_place"
"""Entries of a record."""
INSIDE, OUTSIDE = "in this folder", "elsewhere"
"""Values of the second."""


def place_record(ledger: Path, folder: Path) -> dict[str, str]:
    """The entries by which a record in a run folder names the ledger.

    Args:
        ledger: The file, from where the command runs; it need not be there yet.
        folder: The run folder, likewise.
    """
    parent = _real(ledger.parent)
    if lies_in(folder, ledger):
        return {ENTRY: (parent.relative_to(_real(folder)) / ledger.name).as_posix(), PLACE: INSIDE}
    return {ENTRY: str(parent / ledger.name), PLACE: OUTSIDE}


def lies_in(folder: Path, ledger: Path) -> bool:
    """Whether a ledger goes where the run folder goes."""
    return _real(ledger.parent).is_relative_to(_real(folder))


def _real(path: Path) -> Path:
    """Absolute and without links; a link that leads to itself stays, and who opens it says so."""
    return Path(os.path.realpath(path))


def recorded_place(folder: Path, record: Mapping[str, Any], path: Path) -> Path | None:
    """Where a record says that the ledger is, whether or not it is there; None where it names none.

    Args:
        folder: The run folder, as it is named today.
        record: What lies in it: `run.json`, or that of a batch.
        path: Of the record, for the message.

    Raises:
        InputError: the entry is no text.
    """
    named = entry_or_none(record, path, ENTRY, str)
    if not named:
        return None
    place = record.get(PLACE)
    if place == INSIDE:
        return folder / named
    return Path(named) if place == OUTSIDE else _of_an_older_record(folder, Path(named))


def _of_an_older_record(folder: Path, typed: Path) -> Path:
    """The file of that name in the folder, if it is there; else what was typed, unless it is another run's own."""
    here = folder / typed.name
    if here.is_file():
        return here
    if typed.name == LEDGER and not (typed.is_file() and not (typed.parent / MANIFEST).is_file()):
        return here
    return folder / typed if (folder / typed).is_file() else typed
