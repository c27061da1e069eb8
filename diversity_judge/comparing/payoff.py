"""payoff.csv: does diversity pay? What more samples bring, pass@k - pass@1, against diversity.

On one problem the strategies differ in diversity, and they differ in what k samples solve beyond one. Whether the two
go together is asked within problems, so that a problem's difficulty, on which both depend, cannot make the association.
It is an association and no cause: a strategy that is more diverse differs in other ways too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from diversity_judge.comparing.differences import largest_common_k
from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.tables import PayoffRow, Table
from diversity_judge.measures.association import rank_correlation_within, slope_within
from diversity_judge.wording import interval

SLOPE = "slope"
RANKS = "rank correlation"
_STEP = 0.1
"""Of diversity, that the sentence speaks of: a strategy rarely differs from another by more."""


def payoff_rows(groups: Sequence[GroupMeasures]) -> Iterator[PayoffRow]:
    """Slope and rank correlation; none where no problem has two strategies that differ in diversity."""
    k = largest_common_k(groups)
    points = list(_points(groups, k)) if k > 1 else []
    problems = [problem for problem, _, _ in points]
    diversity, gain = [x for _, x, _ in points], [y for _, _, y in points]
    for name, measure in ((SLOPE, slope_within), (RANKS, rank_correlation_within)):
        found = measure(diversity, gain, problems)
        if not math.isnan(found.value):
            yield PayoffRow(
                name, k, found.value, found.low, found.high, found.n, len(points), found.reason or found.method
            )


def payoff_sentences(table: Table[PayoffRow]) -> Iterator[str]:
    """Whether diversity pays, where enough problems tell."""
    slopes, ranks = table.where(association=SLOPE), table.where(association=RANKS)
    if not slopes or math.isnan(slopes[0].ci_low):
        return
    slope = slopes[0]
    what = f"{slope.k} samples solve"
    size = interval(slope.value * _STEP, slope.ci_low * _STEP, slope.ci_high * _STEP, signed=True)
    correlation = f" (rank correlation {_interval(ranks[0])})" if ranks else ""
    seen = f"{size} for {_STEP:g} of diversity{correlation}, within {slope.n_problems} problems"
    if slope.ci_low <= 0 <= slope.ci_high:
        yield f"No association of diversity with what {what} beyond one is shown between strategies: {seen}."
    else:
        more = "more" if slope.value > 0 else "less"
        yield f"Where strategies are more diverse, {what} {more} beyond one: {seen}."


def _interval(row: PayoffRow) -> str:
    return interval(row.value, row.ci_low, row.ci_high, signed=True)


def _points(groups: Sequence[GroupMeasures], k: int) -> Iterator[tuple[str, float, float]]:
    """Problem, diversity and gain of each group that is judged and graded."""
    for group in groups:
        first, last = group.outcome("pass_at_k", 1), group.outcome("pass_at_k", k)
        if group.process is not None and first and last and not math.isnan(group.process.diversity.value):
            yield group.problem_id, group.process.diversity.value, last.value - first.value
