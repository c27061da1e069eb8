"""The run folder: the tables, matrices and the manifest of a run, as DESIGN's contract names them.

A file appears under its name only once it is whole, so a run that is killed while writing leaves the old one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from diversity_judge.errors import InputError, RunError
from diversity_judge.inputs.responses import write_responses
from diversity_judge.scoring import tables
from diversity_judge.scoring.result import GroupResult, ScoreResult

MANIFEST = "run.json"
SCORES = "scores.csv"
STRATEGIES = "strategies.csv"
PAIRS = "pairs.csv"
MATRICES = "matrices.npz"
HEATMAPS = "heatmaps"
LEDGER = "ledger.sqlite"
RESPONSES = "responses.jsonl.gz"
"""What was judged, as it was read: the folder can be understood without the input files."""

_IDENTITY = ("judge", "prompt")
"""Manifest entries that make two runs different measurements, which must not share a folder."""


def write_tables(folder: Path, result: ScoreResult) -> None:
    """Write the responses, scores.csv, strategies.csv, pairs.csv and matrices.npz.

    The folder is made if it is not there.

    Raises:
        RunError: the disk does not take them.
    """
    groups = result.groups
    csv_files = {SCORES: tables.scores(result), STRATEGIES: tables.strategies(result)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        responses = [response for group in groups for response in group.plan.group.responses]
        write_responses(folder / RESPONSES, responses)
        for name, rows in csv_files.items():
            write_whole(folder / name, partial(tables.write_csv, rows))
        write_whole(folder / PAIRS, partial(tables.write_pairs, groups))
        write_whole(folder / MATRICES, partial(_write_matrices, groups))
    except OSError as error:
        raise RunError(f"{folder}: cannot write the tables: {error}") from error


def write_heatmaps(folder: Path, result: ScoreResult) -> None:
    """Draw a picture a group, and one a problem with its strategies side by side.

    Raises:
        RunError: the disk does not take them.
    """
    from diversity_judge.drawing.heatmaps import Heatmap, save_heatmaps

    heatmaps = [
        Heatmap(
            group.problem_id,
            group.strategy,
            group.matrix.symmetric(),
            group.diversity.value,
            group.diversity.low,
            group.diversity.high,
            group.matrix.wanted | group.matrix.wanted.T,
        )
        for group in result.groups
    ]
    try:
        save_heatmaps(heatmaps, folder / HEATMAPS, judge=result.judge)
    except OSError as error:
        raise RunError(f"{folder / HEATMAPS}: cannot write the heat maps: {error}") from error


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write run.json."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / MANIFEST, lambda path: path.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{folder}: cannot write the manifest: {error}") from error


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, None when there is none.

    Raises:
        InputError: it is there and cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read the manifest: {error}") from error
    return manifest


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


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file so that it appears under its name only once it is whole; `write` gets a temporary path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_matrices(groups: Iterable[GroupResult], path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{group.plan.name: group.matrix.symmetric() for group in groups})
