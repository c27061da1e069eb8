"""What makes two scores comparable: a run folder holds the scores of one instrument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.runs.layout import read_manifest

_IDENTITY = ("judge", "prompt")
"""Manifest entries that make two runs different measurements, which must not share a folder."""


def refuse_another_measurement(folder: Path, manifest: dict[str, Any]) -> None:
    """Refuse to put a run into a folder that holds another judge's or another prompt's tables.

    Raises:
        InputError: it does; the message names what differs.
    """
    old = read_manifest(folder)
    for entry in _IDENTITY if old is not None else ():
        before, now = old.get(entry, {}).get("label"), manifest[entry]["label"]  # type: ignore[union-attr]
        if before != now:
            raise InputError(
                f"{folder} holds a run with another {entry}: {before!r} there, {now!r} now. "
                "Name another folder with --out, or replace its tables with --overwrite"
            )
