"""The rows of reliability.csv, controls.csv and drawn_pairs.csv."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from diversity_judge.files import Row
from diversity_judge.measures.probes.findings import Finding
from diversity_judge.probing.buying import Answers
from diversity_judge.probing.drawing import DrawnPair
from diversity_judge.probing.names import CONTROLS, RETEST, STRESS


def finding_rows(findings: Iterable[Finding]) -> Iterator[Row]:
    """One row a figure; the strategy is empty where all are pooled."""
    for found in findings:
        yield {
            "probe": found.probe,
            "metric": found.metric,
            "strategy": found.strategy,
            "value": found.value,
            "ci_low": found.ci_low,
            "ci_high": found.ci_high,
            "n": found.n,
            "verdict": None if found.verdict is None else found.verdict.value,
            "detail": found.detail,
        }


def control_rows(answers: Iterable[Answers], drawn: Sequence[DrawnPair]) -> Iterator[Row]:
    """One row a control that was asked: its score beside the run's score of the unchanged pair, where there is one."""
    for found in answers:
        if found.request.probe in CONTROLS:
            for row, (judgment, *_) in zip(found.request.rows, found.judgments, strict=True):
                is_of_the_run = found.request.probe in STRESS
                yield {
                    "control": found.request.probe,
                    "problem_id": row.problem_id,
                    "strategy": row.strategy,
                    "score": judgment.score,
                    "missing": judgment.reason,
                    "score_in_run": drawn[row.drawn].score if is_of_the_run else None,
                    "asked_for": row.asked_for,
                    "key": judgment.key,
                    "reply_id": judgment.reply_id,
                }


def pair_rows(drawn: Sequence[DrawnPair], answers: Iterable[Answers]) -> Iterator[Row]:
    """One row a drawn pair: the run's score, the draws, the other order and the other templates, as far as asked."""
    columns: dict[str, dict[int, float | None]] = {}
    for found in answers:
        request = found.request
        if request.probe in CONTROLS:
            continue
        for row, draws in zip(request.rows, found.judgments, strict=True):
            for judgment in draws:
                columns.setdefault(_column(found, judgment.pair.draw), {})[row.drawn] = judgment.score
    for place, one in enumerate(drawn):
        yield {
            "problem_id": one.problem_id,
            "strategy": one.strategy,
            "first_position": one.pair.first,
            "second_position": one.pair.second,
            "score_in_run": one.score,
            **{name: column.get(place) for name, column in columns.items()},
        }


def _column(found: Answers, draw: int) -> str:
    if found.request.template is not None:
        return f"template_{found.request.template.file.name}"
    return f"draw_{draw}" if found.request.probe == RETEST else "other_order"
