"""The bill before the calls: how many are needed and what they will likely cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from diversity_judge.inputs.views import estimate_tokens
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.sorting import SortingPlan
from diversity_judge.planning.summaries import SummaryPlan


@dataclass(frozen=True)
class Bill:
    """What a run will ask for. Tokens and cost are estimates; cost is None where no prices are known.

    Attributes:
        groups: Groups.
        responses: Responses in them.
        pairs: Ordered pairs wanted; `judgments` counts each draw of a pair.
        duplicates: Of these, of identical texts and scored without a judgment.
        repeats: Of these, with the same two texts as an earlier pair, whose judgment is theirs too.
        judgments: Judgments wanted: reused, not asked again, and to be bought.
        reused: Of these, found in the ledger.
        not_asked_again: Of these, truncated earlier at the present limit.
        calls: Calls needed if every first reply holds a score.
        input_tokens: Of the prompts of these calls.
        output_tokens: Of their replies, at the preset's typical length.
        cost_usd: Without any cache hit.
        sortings: Questions about whole groups that are wanted; `calls`, tokens and cost hold theirs too.
        sortings_reused: Of these, found in the ledger.
        sortings_not_asked_again: Of these, truncated earlier at the present limit.
        summaries: Texts whose summaries are wanted; `calls`, tokens and cost hold theirs too.
        summaries_reused: Of these, found in the ledger.
        summaries_not_asked_again: Of these, truncated earlier at the present limit.
        without_summary: Judgments that cannot be asked for, as a summary is missing.
    """

    groups: int
    responses: int
    pairs: int
    duplicates: int
    repeats: int
    judgments: int
    reused: int
    not_asked_again: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    sortings: int = 0
    sortings_reused: int = 0
    sortings_not_asked_again: int = 0
    summaries: int = 0
    summaries_reused: int = 0
    summaries_not_asked_again: int = 0
    without_summary: int = 0

    @property
    def summary_calls(self) -> int:
        """Of the calls, those for summaries, which come first."""
        return self.summaries - self.summaries_reused - self.summaries_not_asked_again

    @property
    def cost_of_a_call_usd(self) -> float | None:
        """Estimated mean cost of one call."""
        return self.cost_usd / self.calls if self.cost_usd is not None and self.calls else None


def group_bill(
    plan: GroupPlan,
    is_missing: NDArray[np.bool_],
    *,
    n_judgments: int,
    n_reused: int,
    n_without_summary: int = 0,
    spec: JudgeSpec,
    overhead_tokens: int,
) -> Bill:
    """Add up one group.

    Args:
        plan: The group.
        is_missing: (pairs,) for which pairs, in the order of the plan, a call is needed.
        n_judgments: How many judgments of its own the group wants.
        n_reused: How many of them have a score in the ledger.
        n_without_summary: How many of them cannot be asked for, as a summary is missing.
        spec: The judge, for its prices and typical reply.
        overhead_tokens: Of the template.
    """
    calls = int(is_missing.sum())
    draws = plan.pairs.draws
    pairs, not_identical = len(plan.pairs) // draws, int(plan.needs_call().sum()) // draws
    input_tokens = overhead_tokens * calls + plan.pair_tokens(is_missing)
    output_tokens = calls * spec.typical_output_tokens
    return Bill(
        groups=1,
        responses=plan.group.n_responses,
        pairs=pairs,
        duplicates=pairs - not_identical,
        repeats=not_identical - n_judgments // draws,
        judgments=n_judgments,
        reused=n_reused,
        not_asked_again=n_judgments - n_reused - calls - n_without_summary,
        calls=calls,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=_cost(spec, input_tokens, output_tokens),
        without_summary=n_without_summary,
    )


def sorting_bill(sorting: SortingPlan, *, is_known: bool, is_missing: bool, spec: JudgeSpec) -> Bill:
    """The bill of one question about a group.

    Args:
        sorting: The question; one that needs a call.
        is_known: Whether the ledger has its answer.
        is_missing: Whether a call is needed.
        spec: The judge, for its prices and typical reply.
    """
    input_tokens = output_tokens = 0
    if is_missing:
        input_tokens = sorting.shown_tokens + estimate_tokens(sorting.template.file.body)
        output_tokens = sorting.reply_tokens(spec.typical_output_tokens, spec.output_limit)
    return Bill(
        **_NOTHING,
        calls=int(is_missing),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=_cost(spec, input_tokens, output_tokens),
        sortings=1,
        sortings_reused=int(is_known),
        sortings_not_asked_again=int(not is_known and not is_missing),
    )


def summary_bill(summary: SummaryPlan, *, is_known: bool, is_missing: bool, spec: JudgeSpec) -> Bill:
    """The bill of one summary.

    Args:
        summary: Of which text.
        is_known: Whether the ledger has it.
        is_missing: Whether a call is needed.
        spec: The judge, for its prices and typical reply.
    """
    input_tokens = output_tokens = 0
    if is_missing:
        input_tokens = summary.shown_tokens + estimate_tokens(summary.template.file.body)
        output_tokens = spec.typical_output_tokens
    return Bill(
        **_NOTHING,
        calls=int(is_missing),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=_cost(spec, input_tokens, output_tokens),
        summaries=1,
        summaries_reused=int(is_known),
        summaries_not_asked_again=int(not is_known and not is_missing),
    )


def _cost(spec: JudgeSpec, input_tokens: int, output_tokens: int) -> float | None:
    if spec.prices is None:
        return None
    return spec.prices.cost(prompt_tokens=input_tokens, completion_tokens=output_tokens)


_NOTHING = dict.fromkeys(
    ("groups", "responses", "pairs", "duplicates", "repeats", "judgments", "reused", "not_asked_again"), 0
)
"""Of pairs, in a bill that is about none."""


def total(bills: Sequence[Bill]) -> Bill:
    """The bill of several groups together."""
    costs = [bill.cost_usd for bill in bills if bill.cost_usd is not None]
    counts = {
        field.name: sum(getattr(bill, field.name) for bill in bills)
        for field in fields(Bill)
        if field.name != "cost_usd"
    }
    return Bill(**counts, cost_usd=sum(costs) if len(costs) == len(bills) else None)


def cost_in_words(bill: Bill, spec: JudgeSpec) -> str:
    """What the calls will likely cost, as a person reads it."""
    if bill.cost_usd is None:
        return "unknown: this judge has no prices; give them in a --judges-file"
    off_peak = f"; {spec.off_peak.price_share * 100:g} % of it with --when cheap" if spec.off_peak is not None else ""
    return (
        f"about {bill.cost_usd:,.2f} USD (prices of {spec.prices_as_of or 'an unknown date'}, no cache hit assumed"
        f"{off_peak})"
    )
