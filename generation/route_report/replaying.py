"""Replays of a folder's table: which tokens, with what they are graded by, and the files they leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from diversity_judge.errors import InputError, RunError
from diversity_judge.files import write_csv
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Response
from diversity_judge.runs.replacing import replacing
from generation.grading.grader import Grader
from generation.moe_models.loading import LoadedModel
from generation.route_report.replay import Key, Replay, Replayer, sample_places
from generation.route_report.replay_table import ReplaySummary, replay_rows, summaries, summary_rows
from generation.route_report.summary import BOUNDARIES
from generation.route_report.tokens import Part, parts, read_tokens
from generation.routing_study.trajectories import Trajectory

MANIFEST = "replay.json"
REPLAYS, SUMMARY = "replay.csv", "replay_summary.csv"


def write_replays(
    folder: Path,
    loaded: LoadedModel,
    trajectories: Sequence[Trajectory],
    responses: Path,
    *,
    n: int,
    boundaries: Sequence[float] = BOUNDARIES,
    seed: int = 0,
    report: Callable[[int], None] = lambda tokens: None,
) -> list[ReplaySummary]:
    """Replay fragile tokens of a folder's `tokens.parquet`, and write `replay.csv` and `replay_summary.csv` beside it.

    Args:
        folder: Where the table is.
        loaded: The model that it is of.
        trajectories: The responses that it is of.
        responses: Their file, which says what they are graded by.
        n: Tokens a layer.
        boundaries: Of the classes: fragile up to the first.
        seed: Of which tokens, the control's routes and luck.
        report: Is told after each token how many more are done.

    Raises:
        InputError: a file cannot be read, or they do not belong together.
        RunError: the folder takes no files, or nothing can be graded.
    """
    if n < 1:
        raise InputError(f"--replay {n}: at least one token")
    by_key = {(one.problem_id, one.strategy, one.response): one for one in trajectories}
    texts = dict(_responses(responses))
    found: list[Replay] = []
    with Grader() as grader:
        for part in _first_schemes(list(parts(read_tokens(folder)))):
            places = sample_places(part, n, boundaries, seed)
            replayer = Replayer(loaded, part, by_key, texts, grader, seed=seed)
            found += replayer.replays(places, report)
    summary = list(summaries(found))
    record = {"tokens_a_layer": n, "seed": seed, "boundaries": list(boundaries)}
    with replacing(folder, record, sure=(REPLAYS, SUMMARY), manifest=MANIFEST):
        try:
            write_csv(folder / REPLAYS, replay_rows(found))
            write_csv(folder / SUMMARY, summary_rows(summary))
        except OSError as error:
            raise RunError(f"{folder}: cannot write the replays: {error}") from error
    return summary


def problem_texts(responses: Path) -> dict[str, str]:
    """Texts of the problems by id, as far as a responses file has them."""
    return {group.problem_id: group.problem for group in read_responses(responses).groups if group.problem}


def _responses(path: Path) -> Iterator[tuple[Key, Response]]:
    for group in read_responses(path).groups:
        for number, response in enumerate(group.responses):
            yield (group.problem_id, group.strategy, number), response


def _first_schemes(tables: Sequence[Part]) -> list[Part]:
    """One part a layer."""
    return list({part.layer: part for part in reversed(tables)}.values())[::-1]
