"""Which of the published claims hold here: a verdict each, from the interval and never from the estimate alone.

The claims are those of "When Are Experts Misrouted?" (arXiv 2605.07260): where a model is confident its router is
aligned with the utility of routes; where it is fragile the router is uninformative; there, better routes of equal cost
exist and are not taken. What counts as uninformative is a margin of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from diversity_judge.measures.intervals import Estimate, t_quantile
from diversity_judge.measures.route_utility import ALL
from diversity_judge.wording import interval
from generation.route_report.summary import CLASS_NAMES, CONFIDENT, FRAGILE, Found

MARGIN = 0.05
"""A router that beats 45 to 55 % of the alternatives is called uninformative; ours."""
LEVEL = 0.05
"""Of the placebo's test, over all classes together."""
HOLDS, FAILS, OPEN = "holds", "does not hold", "open"


@dataclass(frozen=True)
class Verdict:
    """A claim, whether it holds, and the figure that says so.

    Attributes:
        claim: In words.
        verdict: One of HOLDS, FAILS, OPEN.
        because: The figure with its interval.
    """

    claim: str
    verdict: str
    because: str


def verdicts(classes: Mapping[str, Found]) -> Iterator[Verdict]:
    """On each claim, from the classes of one layer by the second set."""
    confident, fragile = classes.get(CONFIDENT), classes.get(FRAGILE)
    if confident is not None and confident.finding.n_tokens:
        rank, gain = confident["rank"], confident["mean_gain"]
        yield Verdict(
            "confident tokens: the router is aligned with utility",
            _beyond(rank, 0.5),
            f"its route beats {_said(rank)} of the alternatives; chance is 0.5",
        )
        yield Verdict(
            "confident tokens: the router's route is better than the average alternative",
            _below(gain, 0.0),
            f"the average alternative gains {_said(gain, 5)} nats",
        )
    if fragile is not None and fragile.finding.n_tokens:
        yield from _of_fragile(fragile)
    if ALL in classes:
        yield from _of_contexts(classes[ALL])


def placebo_fails(classes: Mapping[str, Found]) -> list[str]:
    """The classes in which a random route seems better or worse than its like: the analysis finds what is not there.

    At the level of 5 % over all classes together (Bonferroni): of many honest intervals some miss 0.5.
    """
    shown = [classes[name] for name in (*CLASS_NAMES, ALL) if name in classes and classes[name]["placebo_rank"].se > 0]
    fails = []
    for one in shown:
        rank = one["placebo_rank"]
        if abs(rank.value - 0.5) > t_quantile(1 - LEVEL / len(shown), rank.n - 1) * rank.se:
            fails.append(f"{one.name} {_said(rank)}")
    return fails


def _of_fragile(fragile: Found) -> Iterator[Verdict]:
    rank, regret, null = fragile["rank"], fragile["regret"], fragile["placebo_regret"]
    yield Verdict(
        "fragile tokens: the router is uninformative",
        _within(rank),
        f"its route beats {_said(rank)} of the alternatives",
    )
    yield Verdict(
        "fragile tokens: a better route of equal cost exists for the written token",
        _beyond(regret, 0.0),
        f"the best of {fragile.n_alternatives} gains {_said(regret)} nats; it gains {_said(null)} on a random route",
    )


def _of_contexts(everything: Found) -> Iterator[Verdict]:
    """Of all tokens together: a class holds the likely or the unlikely continuations of a context, never both."""
    if everything.finding.chosen_tokens:
        chosen = everything["chosen_gain"]
        yield Verdict(
            "a route chosen on other continuations of the same context is better",
            _beyond(chosen, 0.0),
            f"it gains {_said(chosen, 4)} nats at {everything.finding.chosen_tokens:,} tokens of all classes",
        )


def _beyond(estimate: Estimate, null: float) -> str:
    if estimate.low > null:
        return HOLDS
    return FAILS if estimate.high < null else OPEN


def _below(estimate: Estimate, null: float) -> str:
    if estimate.high < null:
        return HOLDS
    return FAILS if estimate.low > null else OPEN


def _said(estimate: Estimate, digits: int = 3) -> str:
    return interval(estimate.value, estimate.low, estimate.high, digits)


def _within(rank: Estimate) -> str:
    if rank.low >= 0.5 - MARGIN and rank.high <= 0.5 + MARGIN:
        return HOLDS
    return FAILS if rank.low > 0.5 or rank.high < 0.5 else OPEN
