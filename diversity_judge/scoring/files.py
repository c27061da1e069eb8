"""What `score` leaves in its run folder: the responses, tables, matrices, pictures and the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from diversity_judge.errors import RunError
from diversity_judge.files import Row, write_csv, write_whole
from diversity_judge.inputs.responses import write_responses
from diversity_judge.runs.layout import (
    APPROACHES,
    HEATMAPS,
    MATRICES,
    PAIRS,
    RESPONSES,
    SCORES,
    STRATEGIES,
    SUMMARIES,
    SURROGATE,
)
from diversity_judge.runs.replacing import replacing
from diversity_judge.runs.surrogates import write_surrogates
from diversity_judge.scoring import tables
from diversity_judge.scoring.group_results import GroupResult
from diversity_judge.scoring.result import ScoreResult

if TYPE_CHECKING:
    from diversity_judge.choices import HeatmapChoice
    from diversity_judge.drawing.heatmaps import Heatmap
    from diversity_judge.drawing.pictures import Pictures

_TABLES = (RESPONSES, SCORES, STRATEGIES, PAIRS, MATRICES)
"""Of every run; `_of_some_runs` names the others."""


def write_run(
    folder: Path,
    result: ScoreResult,
    manifest: Mapping[str, Any],
    *,
    heatmaps: HeatmapChoice = "problems",
    most_problems_drawn: int | None = None,
    more: Mapping[str, Iterable[Row]] = MappingProxyType({}),
) -> int:
    """Write everything, in the place of what an earlier run left in this folder; run.json says when it is done.

    Args:
        folder: The run folder; made if it is not there.
        result: Of the run.
        manifest: What run.json is to hold.
        heatmaps: A picture a problem with its strategies side by side, and with `all` one a group.
        most_problems_drawn: So many problems have pictures at most; None for all.
        more: Further tables, by the name of their file.

    Returns:
        The number of problems that were left without a picture because of this.

    Raises:
        RunError: the disk does not take them.
    """
    sure = (*_TABLES, *more, *_of_some_runs(result))
    possible = [APPROACHES, SUMMARIES]
    if heatmaps == "none":
        with replacing(folder, manifest, sure=sure, possible=possible):
            _write_tables(folder, result, more)
        return 0
    from diversity_judge.drawing.pictures import choose_pictures

    pictures = choose_pictures(_heatmaps(result), groups=heatmaps == "all", most_problems=most_problems_drawn)
    possible += [f"{HEATMAPS}/{name}" for name in pictures.files]
    with replacing(folder, manifest, sure=sure, possible=possible):
        _write_tables(folder, result, more)
        _draw(folder, pictures, result.judge)
    return pictures.problems_left_out


def _of_some_runs(result: ScoreResult) -> Iterator[str]:
    """The files that a run has besides, by what was asked of it."""
    if any(group.sortings for group in result.groups):
        yield APPROACHES
    if result.summaries:
        yield SUMMARIES
    if any(group.surrogate for group in result.groups):
        yield SURROGATE


def _write_tables(folder: Path, result: ScoreResult, more: Mapping[str, Iterable[Row]]) -> None:
    groups = result.groups
    csv_files = {
        SCORES: tables.scores(groups, result.judge, result.prompt, result.judge_input),
        STRATEGIES: tables.strategies(result.strategy_results, result.judge, result.prompt, result.judge_input),
    }
    try:
        responses = [response for group in groups for response in group.plan.group.responses]
        write_responses(folder / RESPONSES, responses)
        for name, rows in (*csv_files.items(), *more.items()):
            write_csv(folder / name, rows)
        if any(group.sortings for group in groups):
            write_csv(folder / APPROACHES, tables.approaches(groups))
        if result.summaries:
            write_csv(folder / SUMMARIES, tables.summaries(groups, result.summaries))
        write_whole(folder / PAIRS, partial(tables.write_pairs, groups))
        write_whole(folder / MATRICES, partial(_write_matrices, groups))
        if surrogates := {group.plan.name: group.surrogate for group in groups if group.surrogate}:
            write_whole(folder / SURROGATE, partial(write_surrogates, surrogates))
    except OSError as error:
        raise RunError(f"{folder}: cannot write the tables: {error}") from error


def _heatmaps(result: ScoreResult) -> list[Heatmap]:
    from diversity_judge.drawing.heatmaps import Heatmap

    return [
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


def _draw(folder: Path, pictures: Pictures, judge: str) -> None:
    from diversity_judge.drawing.pictures import save_pictures

    try:
        save_pictures(pictures, folder / HEATMAPS, judge=judge)
    except OSError as error:
        raise RunError(f"{folder / HEATMAPS}: cannot write the heat maps: {error}") from error


def _write_matrices(groups: Iterable[GroupResult], path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{group.plan.name: group.matrix.symmetric() for group in groups})
