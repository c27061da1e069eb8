"""The rows of the tables, and how they are written.

Rows are written as they are made: a hundred thousand pairs never stand in memory as a table, and a run that only
judges does not wait for a data-frame library to be imported.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from diversity_judge.files import Row, text_cell
from diversity_judge.measures.diversity import estimator_of
from diversity_judge.planning.summaries import Summary
from diversity_judge.scoring.group_results import GroupResult, StrategyResult


def scores(groups: Iterable[GroupResult], judge: str, prompt: str, judge_input: str) -> Iterator[Row]:
    """One row a group; judge and prompt as the tables name them."""
    for group in groups:
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
            "retest_sd": group.retest.sd,
            "judged_approaches": group.judged_approaches(),
            "clusters_agreement": group.clusters_agreement,
            "reference_coverage": group.reference_coverage(),
            "vendi": group.vendi,
            "n_duplicate_pairs": sum(judgment.is_duplicate for judgment in group.judgments),
            "missing": "; ".join(f"{reason}: {n}" for reason, n in sorted(group.missing_reasons.items())),
            "interval": group.diversity.reason or group.diversity.method,
            "estimator": estimator_of(group.diversity),
            "lambda": group.surrogate.coefficient if group.surrogate else None,
            "surrogate_r2": group.explained_share,
            "judge": judge,
            "prompt": prompt,
            "judge_input": judge_input,
            "group": group.plan.name,
        }


def strategies(results: Iterable[StrategyResult], judge: str, prompt: str, judge_input: str) -> Iterator[Row]:
    """One row a strategy; judge and prompt as the tables name them."""
    for strategy in results:
        yield {
            "strategy": strategy.strategy,
            "n_problems": strategy.diversity.n,
            "diversity": strategy.diversity.value,
            "ci_low": strategy.diversity.low,
            "ci_high": strategy.diversity.high,
            "se": strategy.diversity.se,
            "coverage": strategy.coverage,
            "order_asymmetry": strategy.order_asymmetry,
            "retest_sd": strategy.retest_sd,
            "judged_approaches": strategy.judged_approaches,
            "clusters_agreement": strategy.clusters_agreement,
            "reference_coverage": strategy.reference_coverage,
            "interval": strategy.diversity.reason or strategy.diversity.method,
            "judge": judge,
            "prompt": prompt,
            "judge_input": judge_input,
        }


def approaches(groups: Iterable[GroupResult]) -> Iterator[Row]:
    """One row a response of the groups that were sorted; a cell is empty where its question was not asked."""
    for group in groups:
        if not group.sortings:
            continue
        judged, listed, clusters = group.sorting, group.references, group.matrix_approaches
        for position, response in enumerate(group.plan.group.responses):
            yield {
                "problem_id": group.problem_id,
                "strategy": group.strategy,
                "sample": str(response.sample_id),
                "position": position,
                "approach": judged.labels[position] if judged and judged.labels else None,
                "matrix_approach": clusters[position] if clusters else None,
                "reference_approach": listed.labels[position] if listed and listed.labels else None,
                "n_reference_approaches": len(listed.plan.references) if listed else None,
                "missing": judged.reason if judged else None,
                "reference_missing": listed.reason if listed else None,
                "key": judged.key if judged else None,
                "reference_key": listed.key if listed else None,
            }


def summaries(groups: Iterable[GroupResult], found: Sequence[Summary]) -> Iterator[Row]:
    """One row a response: its summary, or why it has none; both empty where it stands in no pair that was judged.

    Args:
        groups: Of the run.
        found: The summaries, one a different text.
    """
    by_text = {summary.plan.text_digest: summary for summary in found}
    for group in groups:
        for position, (response, digest) in enumerate(
            zip(group.plan.group.responses, group.plan.summarised, strict=True)
        ):
            summary = by_text.get(digest)
            yield {
                "problem_id": group.problem_id,
                "strategy": group.strategy,
                "sample": str(response.sample_id),
                "position": position,
                "summary": summary.text if summary else None,
                "missing": summary.reason if summary else None,
                "n_replies": summary.n_replies if summary else None,
                "key": summary.key if summary else None,
            }


PAIR_COLUMNS = (
    "problem_id", "strategy", "first", "second", "draw", "score", "missing", "duplicate", "first_position",
    "second_position", "n_replies", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd", "reply_id",
    "key",
)  # fmt: skip


def write_pairs(groups: Iterable[GroupResult], path: Path) -> None:
    """Write pairs.csv: one row a wanted judgment; `key` finds its replies in the ledger.

    As many rows as all other work of a run is about, so they are put together as text. Only names and reasons can
    hold what must be quoted; the csv module quotes them, once a group.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(pair_lines(groups))


def pair_lines(groups: Iterable[GroupResult]) -> Iterator[str]:
    """The lines of pairs.csv."""
    return chain([",".join(PAIR_COLUMNS) + "\n"], chain.from_iterable(map(_pair_lines, groups)))


def _pair_lines(group: GroupResult) -> Iterator[str]:
    names = f"{_quoted(group.problem_id)},{_quoted(group.strategy)}"
    samples = [_quoted(str(response.sample_id)) for response in group.plan.group.responses]
    reasons = {reason: _quoted(reason) for reason in group.missing_reasons}
    for (i, j, draw), key, score, reason, n_replies, reply_id, in_, out, cached, cost in group.judgments:
        yield (
            f"{names},{samples[i]},{samples[j]},{draw},{'' if score is None else score},"
            f"{'' if reason is None else reasons[reason]},{key is None},{i},{j},{n_replies},{in_},{out},{cached},"
            f"{cost!r},{'' if reply_id is None else reply_id},{key or ''}\n"
        )


def _quoted(text: str) -> str:
    """A text that is not empty as a cell of a CSV file."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([text_cell(text)])
    return line.getvalue()[:-1]
