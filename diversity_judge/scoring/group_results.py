"""What a run found, group by group and strategy by strategy, as types that tables and pictures are made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diversity_judge.engine.workload import Workload
from diversity_judge.judges.base import Judge
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.judgments import read_judgments
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.intervals import Estimate, strategy_estimate
from diversity_judge.measures.matrix import SimilarityMatrix, build_matrix
from diversity_judge.measures.retest import Retest, retest
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.judgment import Judgment
from diversity_judge.wording import interval


@dataclass(frozen=True, repr=False)
class GroupResult:
    """One problem under one strategy: its judgments and what follows from them."""

    plan: GroupPlan
    judgments: Sequence[Judgment]
    matrix: SimilarityMatrix
    diversity: Estimate
    vendi: float

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
    """

    strategy: str
    diversity: Estimate
    coverage: float
    order_asymmetry: float
    retest_sd: float


def group_results(workload: Workload, judge: Judge, ledger: Ledger) -> list[GroupResult]:
    """The groups' results, with what the ledger holds now."""
    return [
        _group_result(work.plan, read_judgments(work.plan, judge, ledger) if work.known is None else work.known)
        for work in workload.groups
    ]


def _group_result(plan: GroupPlan, judgments: Sequence[Judgment]) -> GroupResult:
    matrix = build_matrix(plan.group.n_responses, judgments)
    return GroupResult(plan, judgments, matrix, estimate(matrix), matrix.vendi().value)


def strategy_results(groups: Sequence[GroupResult]) -> list[StrategyResult]:
    """One result a strategy, in order of appearance: problems are the clusters."""
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
        )
        for strategy, members in by_strategy.items()
    ]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float(np.nan)


def _pooled_coverage(groups: Sequence[GroupResult]) -> float:
    wanted = sum(group.matrix.n_wanted for group in groups)
    return sum(group.matrix.n_scored for group in groups) / wanted if wanted else float(np.nan)
