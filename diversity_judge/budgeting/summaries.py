"""Summaries as a surrogate: what they cost, and how much they must explain before they are worth it.

All pairs of summaries and a few pairs by the judge itself cost as much as a larger number of pairs by the judge alone.
The first is better where the summaries' scores explain enough of the judge's; how much that is can be said beforehand,
whether they do only by a trial.
"""

from __future__ import annotations

from collections.abc import Iterator

from diversity_judge.budgeting.choices import Planner
from diversity_judge.budgeting.work import Work
from diversity_judge.measures.study import smallest
from diversity_judge.measures.variances import Variances
from diversity_judge.planning.summaries import USUAL_TOKENS

_STEPS = 100
"""Of the share that must be explained: percent."""


def summaries_note(work: Work, variances: Variances, planner: Planner) -> Iterator[str]:
    """The comparison in a sentence; none where the judge has no prices, or there are no more pairs to save.

    Args:
        work: The study.
        variances: What it stands on.
        planner: Of the study without a surrogate.
    """
    summarised, few = work.summarised(), work.responses
    if summarised is None or work.spec.prices is None or few >= planner.all_pairs:
        return
    surrogate = summarised.purchase(planner.all_pairs, 1).cost_usd or 0.0
    budget = surrogate + (work.purchase(few, 1).cost_usd or 0.0)
    alone = _pairs_for(work, planner, budget, few)
    said = (
        f"--judge-input summaries costs {surrogate:,.2f} USD for all pairs (estimated: {USUAL_TOKENS} tokens a "
        f"summary, {work.spec.typical_output_tokens:,} a reply). As the surrogate of {few} pairs a group by the judge "
        f"itself that is as dear as {alone:,} pairs by the judge alone"
    )
    width = planner.choice(alone).width
    if width is None:
        return
    needed = smallest(
        lambda percent: (_with_surrogate(work, variances, planner, percent / _STEPS, few) or 1.0) <= width,
        0,
        _STEPS - 1,
    )
    if needed is None:
        yield f"{said}, and never better, whatever it explains"
    else:
        yield f"{said}, and better if it explains more than {needed} % of the scores' variance"


def _pairs_for(work: Work, planner: Planner, budget: float, fewest: int) -> int:
    """As many pairs a group as the money buys."""
    over = smallest(lambda pairs: (work.purchase(pairs, 1).cost_usd or 0.0) > budget, fewest, planner.all_pairs)
    return planner.all_pairs if over is None else max(fewest, over - 1)


def _with_surrogate(work: Work, variances: Variances, planner: Planner, r2: float, pairs: int) -> float | None:
    return Planner(work, variances, planner.level, surrogate_r2=r2).choice(pairs).width
