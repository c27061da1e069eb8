"""The bill before the calls: how many are needed and what they will likely cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair


@dataclass(frozen=True)
class Bill:
    """What a run will ask for. Tokens and cost are estimates; cost is None where no prices are known.

    Attributes:
        groups: Groups.
        responses: Responses in them.
        judgments: Judgments wanted.
        duplicates: Of these, scored without a call.
        reused: Of these, found in the ledger.
        not_asked_again: Of these, truncated earlier at the present limit.
        calls: Calls needed if every first reply holds a score.
        input_tokens: Of the prompts of these calls.
        output_tokens: Of their replies, at the preset's typical length.
        cost_usd: Without any cache hit.
    """

    groups: int
    responses: int
    judgments: int
    duplicates: int
    reused: int
    not_asked_again: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None

    @property
    def cost_of_a_call_usd(self) -> float | None:
        """Estimated mean cost of one call."""
        return self.cost_usd / self.calls if self.cost_usd is not None and self.calls else None


def group_bill(
    plan: GroupPlan,
    judgments: Sequence[Judgment],
    missing: Sequence[Pair],
    *,
    spec: JudgeSpec,
    overhead_tokens: int,
) -> Bill:
    """Add up one group.

    Args:
        plan: The group.
        judgments: What is known of its pairs.
        missing: The pairs for which a call is needed.
        spec: The judge, for its prices and typical reply.
        overhead_tokens: Of the template.
    """
    duplicates = sum(judgment.is_duplicate for judgment in judgments)
    reused = sum(judgment.score is not None for judgment in judgments) - duplicates
    input_tokens = sum(
        overhead_tokens + plan.token_counts[pair.first] + plan.token_counts[pair.second] for pair in missing
    )
    output_tokens = len(missing) * spec.typical_output_tokens
    prices = spec.prices
    cost = prices.cost(prompt_tokens=input_tokens, completion_tokens=output_tokens) if prices is not None else None
    return Bill(
        groups=1,
        responses=plan.group.n_responses,
        judgments=len(judgments),
        duplicates=duplicates,
        reused=reused,
        not_asked_again=len(judgments) - duplicates - reused - len(missing),
        calls=len(missing),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost,
    )


def total(bills: Sequence[Bill]) -> Bill:
    """The bill of several groups together."""
    costs = [bill.cost_usd for bill in bills if bill.cost_usd is not None]
    counts = {
        field.name: sum(getattr(bill, field.name) for bill in bills)
        for field in fields(Bill)
        if field.name != "cost_usd"
    }
    return Bill(**counts, cost_usd=sum(costs) if len(costs) == len(bills) else None)
