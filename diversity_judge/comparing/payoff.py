"""payoff.csv: does diversity pay? What more samples bring, pass@k - pass@1, against diversity.

On one problem the strategies differ in diversity, and they differ in what k samples solve beyond one. Whether the two
go together is asked within problems, so that a problem's difficulty, on which both depend, cannot make the association.
It is an association and no cause: a strategy that is more diverse differs in other ways too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from diversity_judge.comparing.differences import largest_common_k
from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.tables import PayoffRow, Table
from diversity_judge.measures.association import rank_correlation_within, slope_within
from diversity_judge.wording import interval

SLOPE = "slope"
RANKS = "rank correlation"
_STEP = 0.1
"""Of diversity, that the sentence speaks of: a strategy rarely differs from another by more."""


@dataclass(frozen=True)
class Gain:
    """What more samples bring on one problem under one strategy.

    Attributes:
        group: The problem under the strategy.
        diversity: Of its responses.
        first: pass@1.
        last: pass@k.
    """

    group: GroupMeasures
    diversity: float
    first: float
    last: float

    @property
    def value(self) -> float:
        """pass@k - pass@1."""
        return self.last - self.first

    @property
    def has_no_room(self) -> bool:
        """Whether no diversity could change it: all responses are right, or none is."""
        return self.first in (0.0, 1.0)


def payoff_rows(groups: Sequence[GroupMeasures]) -> Iterator[PayoffRow]:
    """Slope and rank correlation; none where no problem has two strategies that differ in diversity."""
    k, points = gains(groups)
    problems = [point.group.problem_id for point in points]
    diversity, gain = [point.diversity for point in points], [point.value for point in points]
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


def gains(groups: Sequence[GroupMeasures]) -> tuple[int, tuple[Gain, ...]]:
    """k, and the gain of each group that is judged and graded; none where no k above 1 is common to the strategies."""
    k = largest_common_k(groups)
    return k, tuple(_gains(groups, k)) if k > 1 else ()


def _gains(groups: Sequence[GroupMeasures], k: int) -> Iterator[Gain]:
    for group in groups:
        first, last = group.outcome("pass_at_k", 1), group.outcome("pass_at_k", k)
        if group.process is not None and first and last and not math.isnan(group.process.diversity.value):
            yield Gain(group, group.process.diversity.value, first.value, last.value)
