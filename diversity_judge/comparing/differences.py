"""Paired differences of each strategy to the baseline, metric by metric.

The comparisons of one metric are one family for Holm's adjustment: the p-value of the diversity must not depend on
how many other figures the tool happens to print. A metric that grows with the number of responses is compared on the
problems for which both strategies have equally many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from diversity_judge.comparing.group_measures import GroupMeasures, ProcessMetric, known_values
from diversity_judge.comparing.tables import DifferenceRow
from diversity_judge.measures.paired import PairedDifference, paired_difference, with_holm

CHOICES = {"majority": "majority vote", "best_of_n": "Best-of-N", "weighted_majority": "weighted majority"}


@dataclass(frozen=True)
class StrategyDifference:
    """One strategy against the baseline on one metric.

    Attributes:
        strategy: The strategy.
        baseline: The baseline.
        metric: As the tables name it.
        label: For people.
        found: The paired difference.
    """

    strategy: str
    baseline: str
    metric: str
    label: str
    found: PairedDifference

    @property
    def row(self) -> DifferenceRow:
        """As differences.csv has it."""
        estimate = self.found.estimate
        return DifferenceRow(
            self.strategy,
            self.baseline,
            self.metric,
            estimate.value,
            estimate.low,
            estimate.high,
            self.found.test.p,
            self.found.p_holm,
            estimate.n,
            estimate.method,
            self.found.verdict.value,
        )


@dataclass(frozen=True)
class _Series:
    """A metric's value for each problem and strategy; the size is part of the problem where it must agree."""

    metric: str
    label: str
    values: Mapping[str, Mapping[str, float]]
    sizes: Mapping[str, Mapping[str, int]] | None
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def against(self, strategy: str, baseline: str) -> tuple[dict[str, float], dict[str, float]]:
        mine, theirs = dict(self.values.get(strategy, {})), dict(self.values.get(baseline, {}))
        if self.sizes is not None:
            unequal = {p for p in mine.keys() & theirs.keys() if self.sizes[strategy][p] != self.sizes[baseline][p]}
            mine = {problem: value for problem, value in mine.items() if problem not in unequal}
        return mine, theirs


def compare_all(
    groups: Sequence[GroupMeasures],
    strategies: Sequence[str],
    baseline: str,
    metrics: Sequence[ProcessMetric],
    *,
    seed: int,
) -> tuple[StrategyDifference, ...]:
    """All comparisons with the baseline; a metric without a single paired problem is left out."""
    found: list[StrategyDifference] = []
    for series in (*_process_series(groups, metrics), *_outcome_series(groups)):
        family = [
            (strategy, paired_difference(*series.against(strategy, baseline), bounds=series.bounds, seed=seed))
            for strategy in strategies
            if strategy != baseline
        ]
        family = [(strategy, difference) for strategy, difference in family if difference.estimate.n]
        adjusted = with_holm([difference for _, difference in family])
        found += [
            StrategyDifference(strategy, baseline, series.metric, series.label, difference)
            for (strategy, _), difference in zip(family, adjusted, strict=True)
        ]
    return tuple(found)


def _process_series(groups: Sequence[GroupMeasures], metrics: Sequence[ProcessMetric]) -> Iterator[_Series]:
    largest = max((group.n_responses for group in groups), default=1)
    for metric in metrics:
        if metric.is_compared:
            values: dict[str, dict[str, float]] = {}
            for group, value in known_values(groups, metric):
                values.setdefault(group.strategy, {})[group.problem_id] = value
            sizes = _sizes(groups) if metric.depends_on_n else None
            yield _Series(metric.name, metric.label, values, sizes, metric.range_of(largest))


def _outcome_series(groups: Sequence[GroupMeasures]) -> Iterator[_Series]:
    yield _Series("pass_rate", "pass rate", _outcomes(groups, "pass_rate"), None)
    largest = _largest_common_k(groups)
    if largest > 1:
        yield _Series(f"pass_at_{largest}", f"pass@{largest}", _outcomes(groups, "pass_at_k", largest), None)
    for metric, label in CHOICES.items():
        yield _Series(metric, label, _outcomes(groups, metric), _sizes(groups))


def _outcomes(groups: Sequence[GroupMeasures], metric: str, k: int | None = None) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, float]] = {}
    for group in groups:
        outcome = group.outcome(metric, k)
        if outcome is not None:
            values.setdefault(group.strategy, {})[group.problem_id] = outcome.value
    return values


def _largest_common_k(groups: Sequence[GroupMeasures]) -> int:
    """The largest k of pass@k that each graded strategy has."""
    by_strategy: dict[str, set[int]] = {}
    for group in groups:
        sizes = {k for metric, k in group.outcomes if metric == "pass_at_k"}
        if sizes:
            by_strategy.setdefault(group.strategy, set()).update(sizes)
    return max(set.intersection(*by_strategy.values()), default=0) if by_strategy else 0


def _sizes(groups: Sequence[GroupMeasures]) -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, int]] = {}
    for group in groups:
        sizes.setdefault(group.strategy, {})[group.problem_id] = group.n_responses
    return sizes
