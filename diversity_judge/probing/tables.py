"""The rows of the tables that `reliability` leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from diversity_judge.files import Row, finite_or_none
from diversity_judge.measures.probes.findings import Finding
from diversity_judge.probing.buying import Answers
from diversity_judge.probing.drawing import DrawnPair
from diversity_judge.probing.names import CONTROLS, RETEST, STRESS
from diversity_judge.probing.precision import Precision
from diversity_judge.rubric import SCORES


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


def flip_rows(counts: NDArray[np.int64] | None) -> Iterator[Row]:
    """One row a pair of scores: how often a draw has the one and a later draw of the same pair the other.

    Args:
        counts: (6, 6) of `counts.retest_flips`; None where nothing was asked again.
    """
    if counts is not None:
        for score, later in product(SCORES, SCORES):
            yield {"score": score, "score_again": later, "n": int(counts[score, later])}


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


def component_rows(precision: Precision) -> Iterator[Row]:
    """One row a source of variance, in squared points of 0..5."""
    for component in precision.components.all:
        yield {
            "component": component.name,
            "variance": component.variance,
            "ci_low": component.ci_low,
            "ci_high": component.ci_high,
            "sd": component.sd,
            "n": component.n,
            "detail": component.detail,
        }


def allocation_rows(precision: Precision) -> Iterator[Row]:
    """One row a thing that the budget can be spent on, the best first; NaN and infinity are empty."""
    for row in precision.allocation:
        yield {
            "spent_on": row.spent_on,
            "before": row.before,
            "after": row.after,
            "calls": row.calls,
            "cost": row.cost,
            "unit": precision.unit,
            "budget": precision.budget,
            "se_difference_before": row.se_before,
            "se_difference": row.se,
            "detectable_before": finite_or_none(row.detectable_before),
            "detectable": finite_or_none(row.detectable),
            "detail": row.detail,
        }
