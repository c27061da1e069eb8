"""verification.csv: what choosing among n responses achieves, at every n, by each way to choose and each reward.

Over all problems a row stands for every n; inside a tier for 1, 2, 4, ... and N, as in outcomes.csv.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from diversity_judge.comparing.group_measures import GroupMeasures, typical_size
from diversity_judge.comparing.outcome_table import TIERS
from diversity_judge.comparing.tables import ALL_TIERS, VerificationRow
from diversity_judge.measures.intervals import outcome_curve
from diversity_judge.measures.outcomes import Tier, curve_sizes
from diversity_judge.measures.verification import (
    BEST_OF_N,
    MAJORITY,
    METHODS,
    ORACLE,
    OWN,
    STEP_REWARDS,
    WEIGHTED_MEAN,
    WEIGHTED_SUM,
    Curve,
    is_scored,
    verification_curves,
)

LABELS: Mapping[str, str] = {
    ORACLE: "oracle (pass@n)",
    BEST_OF_N: "Best-of-N",
    WEIGHTED_MEAN: "weighted vote, mean",
    WEIGHTED_SUM: "weighted vote, sum",
    MAJORITY: "majority vote",
}
REWARDED = (BEST_OF_N, WEIGHTED_MEAN, WEIGHTED_SUM)
"""The methods that look at rewards."""

Curves = Mapping[str, Sequence[Curve]]
"""Problem to its curves, of one strategy."""


def verification_rows(
    groups: Sequence[GroupMeasures], strategies: Sequence[str], tiers: Mapping[str, Tier], *, seed: int
) -> Iterator[VerificationRow]:
    """Rows strategy by strategy, tier by tier (`all` first), method by method, reward by reward, n by n.

    A group with fewer responses than its strategy's typical number has no curve, so that a curve has the same
    problems at each n.
    """
    for strategy in strategies:
        mine = [group for group in groups if group.strategy == strategy]
        largest = typical_size(group.member for group in mine)
        curves = {g.problem_id: verification_curves(g.member.group, largest, seed=seed) for g in mine}
        for tier in TIERS:
            members = {p: c for p, c in curves.items() if tier == ALL_TIERS or tiers.get(p) == tier}
            yield from _tier_rows(strategy, tier, members)


def rewards_in(rows: Sequence[VerificationRow]) -> tuple[str, ...]:
    """The rewards that rows look at, the file's own first."""
    return tuple(dict.fromkeys(row.reward for row in rows if row.reward))


def main_reward(rows: Sequence[VerificationRow]) -> str:
    """The reward that is shown where there is room for one: the file's own, else the first; empty without any."""
    found = rewards_in(rows)
    return OWN if OWN in found else next(iter(found), "")


def shown_curves(
    rows: Sequence[VerificationRow], strategy: str, tier: str, reward: str
) -> dict[str, list[VerificationRow]]:
    """Method to its curve under one reward, with those that look at none."""
    mine = [row for row in rows if (row.strategy, row.tier) == (strategy, tier) and row.reward in ("", reward)]
    curves = {method: [row for row in mine if row.method == method] for method in METHODS}
    return {method: curve for method, curve in curves.items() if curve}


def step_reward_notes(groups: Sequence[GroupMeasures]) -> Iterator[str]:
    """Groups of which some responses have rewards of their steps and some have none."""
    partial = 0
    for group in groups:
        scored = [is_scored(response.meta.get(STEP_REWARDS)) for response in group.member.responses]
        partial += any(scored) and not all(scored)
    if partial:
        yield (
            f"aggregates of step rewards are left out for {partial} of {len(groups)} groups: needs "
            f"`meta.{STEP_REWARDS}`, finite numbers, on every response"
        )


def _tier_rows(strategy: str, tier: str, curves: Curves) -> Iterator[VerificationRow]:
    kinds = dict.fromkeys((curve.method, curve.reward) for found in curves.values() for curve in found)
    for method, reward in sorted(kinds, key=lambda kind: METHODS.index(kind[0])):
        mine = [c for found in curves.values() for c in found if (c.method, c.reward) == (method, reward)]
        sizes = mine[0].sizes
        places = [place for place, n in enumerate(sizes) if tier == ALL_TIERS or n in curve_sizes(sizes[-1])]
        values = np.array([curve.values[places] for curve in mine]).T
        errors = np.sqrt((np.array([curve.errors[places] for curve in mine]) ** 2).sum(axis=0)) / len(mine)
        for place, estimate, error in zip(places, outcome_curve(np.clip(values, 0, 1)), errors, strict=True):
            ends = estimate.low, estimate.high
            n, count = sizes[place], estimate.n
            yield VerificationRow(strategy, tier, method, reward, n, estimate.value, *ends, count, float(error))


def drawing_error(rows: Sequence[VerificationRow]) -> float:
    """The largest standard error that drawing subsets leaves in a row; 0 where all are exact."""
    return max((row.monte_carlo_se for row in rows if not math.isnan(row.monte_carlo_se)), default=0.0)
