"""What was left out and what it needs, and what is to be kept in mind; one sentence each, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from diversity_judge.comparing.counts import cut_rows
from diversity_judge.comparing.differences import StrategyDifference
from diversity_judge.comparing.group_measures import NEVER_BELOW, GroupMeasures, is_known, values_of
from diversity_judge.comparing.process_metrics import ALL_RESPONSES, ProcessMetric, known_values
from diversity_judge.wording import percent

CUT_MATTERS = 0.01
"""Shares of cut responses that differ by more are warned of: 30 points moved a diversity by 0.06, one moves it by
0.002, which is less than any interval here."""
_LEFT_OUT = " is left out for "


def all_notes(
    groups: Sequence[GroupMeasures],
    strategies: Sequence[str],
    metrics: Sequence[ProcessMetric],
    comparisons: Sequence[StrategyDifference],
    *,
    baseline: str,
    sizes: tuple[int, int],
    complete_only: bool,
) -> Iterator[str]:
    """The notes, in the order in which they matter.

    Args:
        groups: All groups.
        strategies: All strategies.
        metrics: Of the process side.
        comparisons: With the baseline.
        baseline: Its name.
        sizes: Responses of the smallest and of the largest judged group.
        complete_only: Whether responses that were cut were left out.
    """
    judged = {group.strategy for group in groups if group.process is not None}
    if not judged:
        yield "process diversity is left out: it needs run folders of score, and these are responses alone"
    elif unjudged := [strategy for strategy in strategies if strategy not in judged]:
        yield f"no process diversity for {', '.join(unjudged)}: these responses were never scored"
    yield from _strangers(groups, strategies, baseline, comparisons)
    yield from _cut(groups, strategies, complete_only=complete_only)
    yield from _unequal([m for m in metrics if any(known_values(groups, m))], sizes)
    yield from _lacking(groups, metrics if judged else ())
    yield from _parts(groups, strategies, metrics)
    yield from _skipped(groups)
    yield from _low_coverage(groups)
    yield from _unpaired(comparisons)


def merged_notes(notes: Iterable[str]) -> list[str]:
    """The notes; metrics that are left out for the same reason share one."""
    merged: dict[str, str] = {}
    for note in notes:
        name, is_left_out, rest = note.partition(_LEFT_OUT)
        if not is_left_out:
            merged[note] = note
        elif rest in merged:
            merged[rest] = f"{name}, {merged[rest].replace(_LEFT_OUT, ' are left out for ')}"
        else:
            merged[rest] = note
    return list(merged.values())


def _strangers(
    groups: Sequence[GroupMeasures],
    strategies: Sequence[str],
    baseline: str,
    comparisons: Sequence[StrategyDifference],
) -> Iterator[str]:
    """Strategies that are compared with nothing, because they share no problem with the baseline."""
    problems = {name: {group.problem_id for group in groups if group.strategy == name} for name in strategies}
    compared = {comparison.strategy for comparison in comparisons}
    for strategy in strategies:
        if strategy != baseline and not problems[strategy] & problems[baseline]:
            yield (
                f"{strategy} shares no problem with the baseline {baseline}, so that it is not compared with it; "
                "pairs_of_strategies.csv has all pairs that share one"
            )
        elif strategy != baseline and strategy not in compared:
            yield f"{strategy} is not compared with {baseline}: on no problem do both have a value of the same metric"


def _cut(groups: Sequence[GroupMeasures], strategies: Sequence[str], *, complete_only: bool) -> Iterator[str]:
    rows = list(cut_rows(groups, strategies))
    if not any(row.n_cut for row in rows):
        return
    shares = ", ".join(f"{row.strategy} {percent(row.share)} ({row.n_cut} of {row.n_responses})" for row in rows)
    if complete_only:
        what = "process diversity is that of responses that were not cut"
        yield f"--complete-only: {what}; left out: {shares}{_bare(groups)}"
    elif max(row.share for row in rows) - min(row.share for row in rows) > CUT_MATTERS:
        yield (
            f"warning: strategies differ in how many responses were cut: {shares}. A response that was cut differs "
            "from the others by what it lacks, so that a difference in diversity may be that; --complete-only leaves "
            "these responses out, and diversity_complete says what comes then"
        )
    else:
        yield f"responses that were cut: {shares}"


def _bare(groups: Sequence[GroupMeasures]) -> str:
    """How many groups have no pair left."""
    bare = sum(group.process is not None and group.process.n_responses < 2 for group in groups)
    return f"; {bare} groups have fewer than two others, and no value" if bare else ""


def _unequal(metrics: Sequence[ProcessMetric], sizes: tuple[int, int]) -> Iterator[str]:
    smallest, largest = sizes
    if smallest < largest:
        names = ", ".join(metric.name for metric in metrics if metric.depends_on_n and metric.is_compared)
        yield (
            f"groups have {smallest} to {largest} responses: {names}, which grow with their number, are taken at "
            f"{smallest} (mean over subsets of each group); diversity and vendi_2 do not depend on it"
        )


def _lacking(groups: Sequence[GroupMeasures], metrics: Sequence[ProcessMetric]) -> Iterator[str]:
    """Metrics that some groups lack."""
    total = sum(group.process is not None for group in groups)
    for metric in metrics:
        without = [g for g, value in values_of(groups, metric.value) if not is_known(value)]
        is_lacking = 0 < len(without) < total if metric.is_optional else bool(without)
        if is_lacking and metric.part == ALL_RESPONSES:
            rest = "; so its strategies have no mean of it" if metric.needs_every_group else ""
            yield f"{metric.name} is left out for {len(without)} of {total} groups: needs {metric.needs}{rest}"


def _parts(
    groups: Sequence[GroupMeasures], strategies: Sequence[str], metrics: Sequence[ProcessMetric]
) -> Iterator[str]:
    """On how many problems each strategy has the parts of its responses that some figures are of."""
    judged = Counter(group.strategy for group in groups if group.process is not None)
    found = {m: Counter(group.strategy for group, _ in known_values(groups, m)) for m in metrics}
    partial = [m for m in metrics if m.part != ALL_RESPONSES and found[m] and found[m] != judged]
    if partial:
        counts = ", ".join(
            f"{name} {_and(str(found[m][name]) for m in partial)} of {judged[name]}"
            for name in strategies
            if judged[name]
        )
        names = _and(m.name for m in partial)
        yield f"{names} rest on the problems that have {_and(m.needs for m in partial)}: {counts}; see counts.csv"


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _skipped(groups: Sequence[GroupMeasures]) -> Iterator[str]:
    """One sentence a metric: for how many groups it is left out, and what most of them need."""
    reasons: dict[str, Counter[str]] = {}
    for group in groups:
        for skipped in group.skipped:
            reasons.setdefault(skipped.metric, Counter())[skipped.needs] += 1
    for metric, counts in reasons.items():
        needs = counts.most_common(1)[0][0]
        yield f"{metric} is left out for {counts.total()} of {len(groups)} groups: needs {needs}"


def _low_coverage(groups: Sequence[GroupMeasures]) -> Iterator[str]:
    low = [group for group in groups if group.has_low_coverage]
    if low:
        names = _some(f"{group.problem_id} / {group.strategy}" for group in low)
        yield f"low coverage (under {NEVER_BELOW:.0%}) in {len(low)} group(s): {names}"


def _unpaired(comparisons: Sequence[StrategyDifference]) -> Iterator[str]:
    for comparison in comparisons:
        if comparison.found.unpaired and comparison.metric in ("diversity", "pass_rate"):
            unpaired = comparison.found.unpaired
            yield (
                f"{comparison.label}, {comparison.strategy} against {comparison.baseline}: {len(unpaired)} problem(s) "
                f"without a value for both are left out: {_some(unpaired)}"
            )


def _some(names: Iterable[str], most: int = 100) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
