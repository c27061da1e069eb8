"""Where a score's variance comes from, how much of it is the judge's, and what the next money buys in this study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from diversity_judge.measures.allocation import (
    BUDGET_USD,
    Allocation,
    Costs,
    StudyDesign,
    allocate,
    detectable,
    group_icc,
    noise_shares,
)
from diversity_judge.measures.components import Components, variance_components
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.probing import names
from diversity_judge.probing.findings import Material
from diversity_judge.probing.samples import run_sample
from diversity_judge.runs.loading import Run

USD, CALLS = "USD", "calls"


@dataclass(frozen=True)
class Precision:
    """How sure this study is, and of what.

    Attributes:
        components: Of a score, in squared points.
        design: Of the study: the middle of its groups.
        unit: In which the budget is counted: `USD`, or `calls` where a call has no price.
        budget: What the allocation spends.
        allocation: What that buys, spent on one thing alone; the best first.
        noise_shares: How much of the variance of a `group`, a `strategy` and a `difference` is the judge's noise.
        icc: Share of the differences between groups that is not sampling.
        detectable: Smallest difference of two strategies that is confirmed with 80 % power; infinite where none is.
    """

    components: Components
    design: StudyDesign
    unit: str
    budget: float
    allocation: tuple[Allocation, ...]
    noise_shares: Mapping[str, float]
    icc: float
    detectable: float


def precision_of(material: Material) -> Precision:
    """The components of the run's scores, with the draws, orders and templates that were bought."""
    run = material.source.run
    retest, order = material.samples.get(names.RETEST), material.samples.get(names.ORDER)
    draws = _draws(run)
    groups = [JudgedGroup(g.problem_id, g.strategy, g.matrix, draws) for g in run.groups if g.judgments]
    components = variance_components(
        groups,
        retest,
        None if retest is None or order is None else order.with_scores(order.scores.reshape(len(order), -1)),
        templates=_templates(material),
    )
    design = _design(run, draws)
    costs, unit, budget = _costs(material, design)
    return Precision(
        components,
        design,
        unit,
        budget,
        allocate(components, design, costs, budget),
        noise_shares(components, design),
        group_icc(components, design),
        detectable(components, design),
    )


def _draws(run: Run) -> int:
    return max((j.pair.draw for g in run.groups for j in g.judgments), default=0) + 1


def _templates(material: Material) -> Sample | None:
    """(N, T) the drawn pairs by each phrasing, the run's first; None where no other was asked."""
    others = [sample.scores for sample in material.templates.values()]
    base = run_sample(material.drawn)
    return base.with_scores(np.column_stack([base.scores, *others])) if others else None


def _design(run: Run, draws: int) -> StudyDesign:
    members = [member for member in run.groups if member.judgments]
    problems: dict[str, set[str]] = {}
    for member in members:
        problems.setdefault(member.strategy, set()).add(member.problem_id)
    return StudyDesign(
        len(set.intersection(*problems.values())) or len(set.union(*problems.values())),
        len(problems),
        round(float(np.median([len(member.responses) for member in members]))),
        max(1, round(float(np.median([member.matrix.n_pairs for member in members])))),
        2 if run.instrument.orders == "both" else 1,
        draws,
    )


def _costs(material: Material, design: StudyDesign) -> tuple[Costs, str, float]:
    """What a call of the run did cost; where calls are free they are counted, and the budget is as many again."""
    counts = material.source.run.manifest.get("judgments")
    counts = counts if isinstance(counts, dict) else {}
    cost, replies = counts.get("cost_usd"), counts.get("replies")
    per_call = cost / replies if isinstance(cost, (int, float)) and isinstance(replies, int) and replies else 0.0
    if per_call > 0 and math.isfinite(per_call):
        return Costs(per_call), USD, BUDGET_USD
    return Costs(1.0), CALLS, design.calls
