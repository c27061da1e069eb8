"""What a run found: one result a group, one a strategy, as types that tables and pictures are made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.engine.workload import Workload
from diversity_judge.judges.base import Judge
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.judgments import read_judgments
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.intervals import Estimate, strategy_estimate
from diversity_judge.measures.matrix import SimilarityMatrix, build_matrix
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.judgment import Judgment

EXIT_MISSING = 3
_EXIT_CODES = {Ending.INTERRUPTED: 130, Ending.FAILED: 1}


@dataclass(frozen=True)
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

    @property
    def missing_reasons(self) -> Counter[str]:
        """Number of judgments without a score, by reason."""
        return Counter(j.reason for j in self.judgments if j.reason is not None)


@dataclass(frozen=True)
class StrategyResult:
    """One strategy over its problems. A problem whose group has no score at all is left out and not counted."""

    strategy: str
    diversity: Estimate
    coverage: float


@dataclass(frozen=True)
class ScoreResult:
    """What a run found and how it ended.

    Attributes:
        groups: One a group, in the order of the input.
        strategies: One a strategy.
        judge: The judge as the tables name it: model, host and parameters.
        prompt: The prompt template as the tables name it.
        has_prices: Whether the judge's prices are known.
        tally: What this run did, and how it ended.
        is_embedded: Whether the judge computes, so that asking it again changes nothing.
    """

    groups: Sequence[GroupResult]
    strategies: Sequence[StrategyResult]
    judge: str
    prompt: str
    has_prices: bool
    tally: Tally
    is_embedded: bool = False

    @property
    def missing(self) -> Counter[str]:
        """Judgments without a score, by reason."""
        return sum((group.missing_reasons for group in self.groups), Counter())

    @property
    def exit_code(self) -> int:
        """0 all scored, 1 the run failed, 3 pairs are missing, 130 interrupted."""
        if self.tally.ending in _EXIT_CODES:
            return _EXIT_CODES[self.tally.ending]
        return EXIT_MISSING if self.missing else 0


def score_result(groups: Sequence[GroupResult], judge: Judge, tally: Tally) -> ScoreResult:
    """Put a run's result together."""
    return ScoreResult(
        groups,
        strategy_results(groups),
        judge.spec.label,
        judge.prompt_label,
        judge.spec.prices is not None,
        tally,
        judge.spec.is_embedded,
    )


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
        )
        for strategy, members in by_strategy.items()
    ]


def _pooled_coverage(groups: Sequence[GroupResult]) -> float:
    wanted = sum(group.matrix.n_wanted for group in groups)
    return sum(group.matrix.n_scored for group in groups) / wanted if wanted else float(np.nan)
