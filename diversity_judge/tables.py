"""The rows of the tables, and how they are written.

Rows are written as they are made: a hundred thousand pairs never stand in memory as a table, and a run that only
judges does not wait for a data-frame library to be imported.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from diversity_judge.results import GroupResult, ScoreResult

Cell = str | int | float | bool | None
Row = dict[str, Cell]
"""One row by column: of a file's columns, so a mapping."""


def scores(result: ScoreResult) -> Iterator[Row]:
    """One row a group."""
    for group in result.groups:
        yield {
            "problem_id": group.problem_id,
            "strategy": group.strategy,
            "n_responses": group.plan.group.n_responses,
            "n_pairs": group.matrix.n_pairs,
            "coverage": group.matrix.coverage,
            "diversity": group.diversity.value,
            "ci_low": group.diversity.low,
            "ci_high": group.diversity.high,
            "se": group.diversity.se,
            "diversity_if_missing_same": group.matrix.diversity_if_missing_same,
            "diversity_if_missing_different": group.matrix.diversity_if_missing_different,
            "order_asymmetry": group.matrix.order_asymmetry,
            "vendi": group.vendi,
            "n_duplicate_pairs": sum(judgment.is_duplicate for judgment in group.judgments),
            "missing": "; ".join(f"{reason}: {n}" for reason, n in sorted(group.missing_reasons.items())),
            "interval": group.diversity.reason or group.diversity.method,
            "judge": result.judge,
            "prompt": result.prompt,
            "group": group.plan.name,
        }


def strategies(result: ScoreResult) -> Iterator[Row]:
    """One row a strategy."""
    for strategy in result.strategies:
        yield {
            "strategy": strategy.strategy,
            "n_problems": strategy.diversity.n,
            "diversity": strategy.diversity.value,
            "ci_low": strategy.diversity.low,
            "ci_high": strategy.diversity.high,
            "se": strategy.diversity.se,
            "coverage": strategy.coverage,
            "interval": strategy.diversity.reason or strategy.diversity.method,
            "judge": result.judge,
            "prompt": result.prompt,
        }


def pairs(groups: Iterable[GroupResult]) -> Iterator[Row]:
    """One row a wanted judgment; `key` finds its replies in the ledger."""
    for group in groups:
        problem_id, strategy = group.problem_id, group.strategy
        samples = [response.sample_id for response in group.plan.group.responses]
        for (first, second, draw), key, score, reason, n_replies, reply_id, *tokens, cost_usd in group.judgments:
            prompt_tokens, completion_tokens, cached_tokens = tokens
            yield {
                "problem_id": problem_id,
                "strategy": strategy,
                "first": samples[first],
                "second": samples[second],
                "draw": draw,
                "score": score,
                "missing": reason,
                "duplicate": key is None,
                "first_position": first,
                "second_position": second,
                "n_replies": n_replies,
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "cached_tokens": cached_tokens,
                "cost_usd": cost_usd,
                "reply_id": reply_id,
                "key": key,
            }


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Write rows that all have the columns of the first; what is missing is an empty cell, never a number."""
    rows = iter(rows)
    first = next(rows, None)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if first is not None:
            writer.writerow(first)
            # NaN alone differs from itself; a function a cell would take as long as all the writing.
            writer.writerows([None if cell != cell else cell for cell in row.values()] for row in chain((first,), rows))
