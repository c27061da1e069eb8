"""counts.csv and cut_responses.csv: what each figure rests on, and how many responses never came to their end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.parts import COMPLETE, is_cut
from diversity_judge.comparing.process_metrics import ALL_RESPONSES, ProcessMetric, known_values
from diversity_judge.comparing.tables import CountRow, CutRow
from diversity_judge.measures.intervals import outcome_estimate


def count_rows(
    groups: Sequence[GroupMeasures],
    strategies: Sequence[str],
    metrics: Sequence[ProcessMetric],
    *,
    size: int,
    complete_only: bool,
) -> Iterator[CountRow]:
    """One row a figure of process.csv.

    Args:
        groups: All groups.
        strategies: In the order of the rows.
        metrics: In the order of the rows.
        size: Responses at which metrics that depend on their number were taken.
        complete_only: Whether responses that were cut were left out of everything.
    """
    for strategy in strategies:
        mine = [group for group in groups if group.strategy == strategy and group.process is not None]
        for metric in metrics:
            found = [group for group, _ in known_values(mine, metric)]
            if found:
                yield _count_row(strategy, metric, found, len(mine), size, complete_only)


def _count_row(
    strategy: str,
    metric: ProcessMetric,
    found: Sequence[GroupMeasures],
    n_judged: int,
    size: int,
    complete_only: bool,
) -> CountRow:
    counts = [_counts(group, metric) for group in found]
    responses = [n_responses for n_responses, _ in counts]
    return CountRow(
        strategy,
        metric.name,
        _selection(metric.part, complete_only),
        len(found),
        n_judged - len(found),
        size if metric.depends_on_n else min(responses),
        size if metric.depends_on_n else max(responses),
        sum(responses),
        sum(n_pairs for _, n_pairs in counts),
    )


def _counts(group: GroupMeasures, metric: ProcessMetric) -> tuple[int, int]:
    """Responses and pairs with a score that a metric looks at."""
    process = group.process
    if process is None:
        return 0, 0
    part = process.parts.get(metric.name)
    return (part.n_responses, part.n_pairs) if part else (process.n_responses, process.n_pairs)


def _selection(part: str, complete_only: bool) -> str:
    if not complete_only or part == COMPLETE.label:
        return part
    return COMPLETE.label if part == ALL_RESPONSES else f"{part}, {COMPLETE.label}"


def cut_rows(groups: Sequence[GroupMeasures], strategies: Sequence[str]) -> Iterator[CutRow]:
    """One row a strategy of which any response says how it ended."""
    for strategy in strategies:
        told = [
            [is_cut(response) for response in group.member.responses if response.finish_reason is not None]
            for group in groups
            if group.strategy == strategy
        ]
        told = [ends for ends in told if ends]
        if told:
            share = outcome_estimate([sum(ends) / len(ends) for ends in told])
            yield CutRow(
                strategy, len(told), sum(map(len, told)), sum(map(sum, told)), share.value, share.low, share.high
            )
