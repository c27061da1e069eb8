"""Paired differences of strategies, metric by metric: each to the baseline, and any two.

The comparisons of one metric are one family for Holm's adjustment: the p-value of the diversity must not depend on
how many other figures the tool happens to print. Process metrics that grow with the number of responses are taken at a
common number (`group_measures`); votes and Best-of-N are compared on the problems for which both strategies have
equally many responses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.process_metrics import ProcessMetric, known_values
from diversity_judge.comparing.tables import DifferenceRow, PairRow
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
        judge_noise: Standard deviation that the judge's own chance gives it; NaN where that is not known.
    """

    strategy: str
    baseline: str
    metric: str
    label: str
    found: PairedDifference
    judge_noise: float = float("nan")

    @property
    def judge_noise_share(self) -> float:
        """How much of the difference's variance (its standard error squared) that is; NaN where it is not known."""
        se = self.found.estimate.se
        return (self.judge_noise / se) ** 2 if se > 0 else float("nan")

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
            self.judge_noise,
            self.judge_noise_share,
        )

    @property
    def pair_row(self) -> PairRow:
        """As pairs_of_strategies.csv has it."""
        row = self.row
        return PairRow(
            self.strategy,
            self.baseline,
            self.metric,
            row.difference,
            row.ci_low,
            row.ci_high,
            row.p,
            row.p_holm,
            row.n_problems,
            row.interval,
            row.verdict,
            row.judge_noise,
            row.judge_noise_share,
        )


@dataclass(frozen=True)
class Series:
    """A metric's value for each problem and strategy, and the sizes of the groups where these must agree."""

    metric: str
    label: str
    values: Mapping[str, Mapping[str, float]]
    sizes: Mapping[str, Mapping[str, int]] | None
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def against(self, strategy: str, baseline: str) -> tuple[dict[str, float], dict[str, float]]:
        """The values of two strategies by problem, without problems whose sizes must agree and do not."""
        mine, theirs = dict(self.values.get(strategy, {})), dict(self.values.get(baseline, {}))
        if self.sizes is not None:
            unequal = {p for p in mine.keys() & theirs.keys() if self.sizes[strategy][p] != self.sizes[baseline][p]}
            mine = {problem: value for problem, value in mine.items() if problem not in unequal}
        return mine, theirs


def all_series(groups: Sequence[GroupMeasures], metrics: Sequence[ProcessMetric], size: int) -> tuple[Series, ...]:
    """Everything that is compared.

    Args:
        groups: All groups.
        metrics: Of the process side.
        size: Responses at which metrics that depend on their number were taken.
    """
    return (*_process_series(groups, metrics, size), *_outcome_series(groups))


def main_series(series: Sequence[Series]) -> tuple[Series, ...]:
    """What any two strategies are compared on: diversity, pass rate, pass@N."""
    return tuple(one for one in series if one.metric in ("diversity", "pass_rate") or one.metric.startswith("pass_at_"))


def compare_all(
    series: Sequence[Series], strategies: Sequence[str], baseline: str, *, seed: int
) -> tuple[StrategyDifference, ...]:
    """All comparisons with the baseline; a metric without a single paired problem is left out."""
    return _compared(series, [(strategy, baseline) for strategy in strategies if strategy != baseline], seed)


def compare_pairs(series: Sequence[Series], strategies: Sequence[str], *, seed: int) -> tuple[StrategyDifference, ...]:
    """Any two strategies, the later minus the earlier, each metric adjusted among all pairs."""
    return _compared(series, [(later, earlier) for earlier, later in combinations(strategies, 2)], seed)


def _compared(series: Sequence[Series], pairs: Sequence[tuple[str, str]], seed: int) -> tuple[StrategyDifference, ...]:
    found: list[StrategyDifference] = []
    for one in series:
        family = [(pair, paired_difference(*one.against(*pair), bounds=one.bounds, seed=seed)) for pair in pairs]
        family = [(pair, difference) for pair, difference in family if difference.estimate.n]
        adjusted = with_holm([difference for _, difference in family])
        found += [
            StrategyDifference(*pair, one.metric, one.label, difference)
            for (pair, _), difference in zip(family, adjusted, strict=True)
        ]
    return tuple(found)


def _process_series(groups: Sequence[GroupMeasures], metrics: Sequence[ProcessMetric], size: int) -> Iterator[Series]:
    for metric in metrics:
        if metric.is_compared:
            values: dict[str, dict[str, float]] = {}
            for group, value in known_values(groups, metric):
                values.setdefault(group.strategy, {})[group.problem_id] = value
            yield Series(metric.name, metric.label, values, None, metric.range_of(size))


def _outcome_series(groups: Sequence[GroupMeasures]) -> Iterator[Series]:
    yield Series("pass_rate", "pass rate", _outcomes(groups, "pass_rate"), None)
    largest = largest_common_k(groups)
    if largest > 1:
        yield Series(f"pass_at_{largest}", f"pass@{largest}", _outcomes(groups, "pass_at_k", largest), None)
    for metric, label in CHOICES.items():
        yield Series(metric, label, _outcomes(groups, metric), _sizes(groups))


def _outcomes(groups: Sequence[GroupMeasures], metric: str, k: int | None = None) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, float]] = {}
    for group in groups:
        outcome = group.outcome(metric, k)
        if outcome is not None:
            values.setdefault(group.strategy, {})[group.problem_id] = outcome.value
    return values


def largest_common_k(groups: Sequence[GroupMeasures]) -> int:
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
