"""What `score` leaves in its run folder: the responses, tables, matrices, pictures and the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from diversity_judge.errors import RunError
from diversity_judge.files import write_csv, write_json, write_whole
from diversity_judge.inputs.responses import write_responses
from diversity_judge.runs.layout import HEATMAPS, MANIFEST, MATRICES, PAIRS, RESPONSES, SCORES, STRATEGIES
from diversity_judge.scoring import tables
from diversity_judge.scoring.result import GroupResult, ScoreResult


def write_tables(folder: Path, result: ScoreResult) -> None:
    """Write the responses, scores.csv, strategies.csv, pairs.csv and matrices.npz.

    The folder is made if it is not there.

    Raises:
        RunError: the disk does not take them.
    """
    groups = result.groups
    csv_files = {SCORES: tables.scores(result), STRATEGIES: tables.strategies(result)}
    try:
        responses = [response for group in groups for response in group.plan.group.responses]
        write_responses(folder / RESPONSES, responses)
        for name, rows in csv_files.items():
            write_csv(folder / name, rows)
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


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write run.json."""
    try:
        write_json(folder / MANIFEST, manifest)
    except OSError as error:
        raise RunError(f"{folder}: cannot write the manifest: {error}") from error


def _write_matrices(groups: Iterable[GroupResult], path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{group.plan.name: group.matrix.symmetric() for group in groups})
