"""outcomes.csv: what each strategy solves, over all problems and tier by tier.

The tiers come from one token-sampling strategy's own responses, so that this strategy's values inside a tier are
what the tier was chosen by: on Hard its pass rate is 0 because such problems were called hard. Other strategies are
measured on problems that their own luck did not choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from diversity_judge.comparing.differences import CHOICES
from diversity_judge.comparing.group_measures import GroupMeasures, typical_size
from diversity_judge.comparing.tables import ALL_TIERS, OutcomeRow
from diversity_judge.measures.intervals import Estimate, outcome_estimate, strategy_estimate
from diversity_judge.measures.outcomes import Outcome, Skipped, Tier, tier

TIERS = (ALL_TIERS, *(found.value for found in Tier))


def problem_tiers(groups: Sequence[GroupMeasures], strategy: str) -> tuple[dict[str, Tier], tuple[str, ...]]:
    """The tier of each problem that this strategy's responses decide, and why the others have none."""
    found: dict[str, Tier] = {}
    reasons: dict[str, int] = {}
    for group in groups:
        if group.strategy == strategy:
            decided = tier(group.member.group)
            if isinstance(decided, Skipped):
                reasons[decided.needs] = reasons.get(decided.needs, 0) + 1
            else:
                found[group.problem_id] = decided
    return found, tuple(f"{needs} ({n} problem{'s' if n > 1 else ''})" for needs, n in reasons.items())


def outcome_rows(
    groups: Sequence[GroupMeasures], strategies: Sequence[str], tiers: Mapping[str, Tier]
) -> Iterator[OutcomeRow]:
    """Rows strategy by strategy, tier by tier (`all` first), pass rate first."""
    for strategy in strategies:
        mine = [group for group in groups if group.strategy == strategy]
        for name in TIERS:
            members = [group for group in mine if name in (ALL_TIERS, _name(tiers.get(group.problem_id)))]
            yield from _tier_rows(strategy, name, members)


@dataclass(frozen=True)
class PanelBar:
    """One bar of the validation panel (Chen et al. 2026, section 3.3): one strategy on the problems of one tier."""

    tier: str
    title: str
    strategy: str
    estimate: Estimate


def panel_bars(
    groups: Sequence[GroupMeasures], strategies: Sequence[str], tiers: Mapping[str, Tier]
) -> tuple[PanelBar, ...]:
    """Stability (pass rate) on Correct, Best-of-N on Medium, diversity and pass@N on Hard.

    What has no value is left out.
    """
    plan: list[tuple[Tier, str, Callable[[GroupMeasures], float | None]]] = [
        (Tier.CORRECT, "stability (pass rate)", lambda group: _value(group.outcome("pass_rate"))),
        (Tier.MEDIUM, "Best-of-N", lambda group: _value(group.outcome("best_of_n"))),
        (Tier.HARD, "process diversity", lambda group: group.process.diversity.value if group.process else None),
        (Tier.HARD, "pass@N", _pass_at_n),
    ]
    bars = []
    for wanted, title, value in plan:
        for strategy in strategies:
            mine = [g for g in groups if g.strategy == strategy and tiers.get(g.problem_id) is wanted]
            over_problems = strategy_estimate if title == "process diversity" else outcome_estimate
            estimate = over_problems([v for v in map(value, mine) if v is not None])
            if estimate.n:
                bars.append(PanelBar(wanted.value, title, strategy, estimate))
    return tuple(bars)


def ties(groups: Sequence[GroupMeasures]) -> dict[str, dict[str, tuple[int, int]]]:
    """Strategy to choosing metric to (problems with a tie for the first place, of these where it matters)."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for group in groups:
        for metric in CHOICES:
            outcome = group.outcome(metric)
            if outcome is not None:
                tied, mattering = found.setdefault(group.strategy, {}).get(metric, (0, 0))
                found[group.strategy][metric] = (tied + (outcome.n_tied > 1), mattering + outcome.tie_matters)
    return found


def _tier_rows(strategy: str, tier_name: str, members: Sequence[GroupMeasures]) -> Iterator[OutcomeRow]:
    keys = dict.fromkeys(("pass_at_k", k) for m in members for metric, k in sorted(m.outcomes) if metric == "pass_at_k")
    n = typical_size(member.member for member in members)
    wanted: list[tuple[str, int, int | None]] = [("pass_rate", n, None)]
    wanted += [(metric, k, k) for metric, k in sorted(keys)]
    wanted += [(metric, n, None) for metric in CHOICES]
    for metric, shown_k, k in wanted:
        values = [outcome.value for member in members if (outcome := member.outcome(metric, k)) is not None]
        if values:
            estimate = outcome_estimate(values)
            yield OutcomeRow(
                strategy, tier_name, metric, shown_k, estimate.value, estimate.low, estimate.high, estimate.n
            )


def _pass_at_n(group: GroupMeasures) -> float | None:
    sizes = [k for metric, k in group.outcomes if metric == "pass_at_k"]
    return _value(group.outcome("pass_at_k", max(sizes))) if sizes else None


def _value(outcome: Outcome | None) -> float | None:
    return outcome.value if outcome is not None else None


def _name(found: Tier | None) -> str | None:
    return found.value if found is not None else None
