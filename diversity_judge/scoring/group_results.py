"""What a run found, group by group and strategy by strategy, as types that tables and pictures are made from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diversity_judge import cycles
from diversity_judge.choices import SAME_APPROACH
from diversity_judge.engine.workload import Workload
from diversity_judge.judges.base import Judge
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.judgments import read_judgments
from diversity_judge.ledger.sortings import read_sortings
from diversity_judge.measures.approaches import approach_labels, count_approaches
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.intervals import Estimate, strategy_estimate
from diversity_judge.measures.matrix import SimilarityMatrix, build_matrix
from diversity_judge.measures.retest import Retest, retest
from diversity_judge.measures.sortings import clusters_agreement, expected_classes, expected_coverage
from diversity_judge.measures.surrogate import Surrogate, explained_share
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.sorting import Sorting
from diversity_judge.wording import interval


@dataclass(frozen=True, repr=False)
class GroupResult:
    """One problem under one strategy: its judgments and what follows from them."""

    plan: GroupPlan
    judgments: Sequence[Judgment]
    matrix: SimilarityMatrix
    diversity: Estimate
    vendi: float
    sorting: Sorting | None = None
    references: Sorting | None = None
    surrogate: Surrogate | None = None

    @property
    def problem_id(self) -> str:
        """The problem."""
        return self.plan.group.problem_id

    @property
    def strategy(self) -> str:
        """How the responses were sampled."""
        return self.plan.group.strategy

    def __repr__(self) -> str:
        found, matrix = self.diversity, self.matrix
        scored = f"{matrix.n_scored:,} of {matrix.n_wanted:,} pairs scored"
        return f"GroupResult({self.plan.name}: {scored}, diversity {interval(found.value, found.low, found.high)})"

    @cached_property
    def retest(self) -> Retest:
        """How much the judge differs from itself, where pairs were drawn more than once."""
        return retest(self.judgments)

    @property
    def explained_share(self) -> float:
        """R2 of the surrogate; NaN without one."""
        return explained_share([(self.matrix, self.surrogate)]) if self.surrogate else float(np.nan)

    @property
    def sortings(self) -> tuple[Sorting, ...]:
        """The questions that were asked about the whole group."""
        return tuple(one for one in (self.sorting, self.references) if one is not None)

    def judged_approaches(self, size: int | None = None) -> float:
        """Approaches as the judge sorts them, expected among `size` responses (None: all); NaN where not known."""
        labels = self.sorting.labels if self.sorting else None
        return expected_classes(labels, size or len(labels)) if labels else math.nan

    @cached_property
    def clusters_agreement(self) -> float:
        """Agreement of the judge's sorting with the clusters of the matrix; NaN where one is not known."""
        labels = self.sorting.labels if self.sorting else None
        similarity = self.matrix.symmetric()
        return clusters_agreement(labels, similarity, threshold=SAME_APPROACH) if labels else math.nan

    @cached_property
    def matrix_approaches(self) -> tuple[int, ...] | None:
        """(n,) clusters of the matrix from 1; None where missing pairs could change them."""
        similarity = self.matrix.symmetric()
        if math.isnan(count_approaches(similarity).value):
            return None
        return tuple(int(label) + 1 for label in approach_labels(similarity))

    def reference_coverage(self, size: int | None = None) -> float:
        """Share of the list's approaches, expected among `size` responses (None: all); NaN where not known."""
        asked = self.references
        if asked is None or asked.labels is None:
            return math.nan
        return expected_coverage(asked.labels, len(asked.plan.references), size or len(asked.labels))

    @property
    def missing_reasons(self) -> Counter[str]:
        """Number of judgments without a score, by reason."""
        return Counter(j.reason for j in self.judgments if j.reason is not None)


@dataclass(frozen=True)
class StrategyResult:
    """One strategy over its problems. A problem whose group has no score at all is left out and not counted.

    Attributes:
        strategy: Its name.
        diversity: Mean over problems.
        coverage: Share of all its wanted judgments that have a score.
        order_asymmetry: Mean over problems, in points; NaN unless both orders were judged.
        retest_sd: Standard deviation of a draw, pooled over all pairs drawn more than once; NaN without one.
        judged_approaches: Mean over problems, at the number of responses of the run's smallest group; NaN unless the
            judge sorted.
        clusters_agreement: Mean over problems of the agreement of these with the matrix's clusters; NaN likewise.
        reference_coverage: Mean over problems that carry a list, at the same number; NaN unless the judge was asked.
    """

    strategy: str
    diversity: Estimate
    coverage: float
    order_asymmetry: float
    retest_sd: float
    judged_approaches: float
    clusters_agreement: float
    reference_coverage: float


@cycles.not_sought()
def group_results(workload: Workload, judge: Judge, ledger: Ledger) -> list[GroupResult]:
    """The groups' results, with what the ledger holds now."""
    sortings = {
        (sorting.plan.group.name, bool(sorting.plan.references)): sorting
        for sorting in read_sortings(workload.sortings, judge, ledger)
    }
    return [
        _group_result(
            work.plan,
            read_judgments(work.plan, judge, ledger) if work.known is None else work.known,
            sortings.get((work.plan.name, False)),
            sortings.get((work.plan.name, True)),
        )
        for work in workload.groups
    ]


def _group_result(
    plan: GroupPlan, judgments: Sequence[Judgment], sorting: Sorting | None, references: Sorting | None
) -> GroupResult:
    matrix = build_matrix(plan.group.n_responses, judgments)
    return GroupResult(plan, judgments, matrix, estimate(matrix), matrix.vendi().value, sorting, references)


def strategy_results(groups: Sequence[GroupResult]) -> list[StrategyResult]:
    """One result a strategy, in order of appearance: problems are the clusters."""
    smallest = min((group.plan.group.n_responses for group in groups if group.plan.group.n_responses > 1), default=1)
    by_strategy: dict[str, list[GroupResult]] = {}
    for group in groups:
        by_strategy.setdefault(group.strategy, []).append(group)
    return [
        StrategyResult(
            strategy,
            strategy_estimate([group.diversity.value for group in members]),
            _pooled_coverage(members),
            _mean([group.matrix.order_asymmetry for group in members]),
            sum((group.retest for group in members), Retest()).sd,
            _mean([group.judged_approaches(smallest) for group in members]),
            _mean([group.clusters_agreement for group in members]),
            _mean([group.reference_coverage(smallest) for group in members]),
        )
        for strategy, members in by_strategy.items()
    ]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float(np.nan)


def _pooled_coverage(groups: Sequence[GroupResult]) -> float:
    wanted = sum(group.matrix.n_wanted for group in groups)
    return sum(group.matrix.n_scored for group in groups) / wanted if wanted else float(np.nan)
