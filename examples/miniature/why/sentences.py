"""What `why.csv` says, in sentences: Markdown for the report, the same words on the console."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.route_utility import ALL
from diversity_judge.wording import interval
from examples.miniature.verdicts import POINTS_MARGIN, points
from examples.miniature.why.checks import KEPT
from examples.miniature.why.fates import Kind
from examples.miniature.why.findings import EXPERT, HOTTER, NORMAL, TABLE, Findings, margin_classes, read
from examples.miniature.wording import with_interval
from generation.route_report.summary import CLASS_NAMES

FOLDER = "why"
"""In the run's."""


def said(folder: Path) -> tuple[str, ...]:
    """Of a run's folder; empty where that step was not run."""
    table = folder / FOLDER
    return tuple(sentences(read(table))) if (table / TABLE).exists() else ()


def sentences(found: Findings) -> Iterator[str]:
    """One a question, the answer first."""
    if found.has("departures"):
        yield _ways(found)
        yield _balance(found)
        yield _by_greedy(found)
        yield _slope(found)
        yield _alone(found)
    if found.has("routes"):
        yield _routes(found)
        yield _explained(found)
    if found.has("decisions"):
        yield _flipped(found)
        yield _checked(found)
        yield _same_way(found)
        yield _worth(found)


def _ways(found: Findings) -> str:
    leaving = {arm: 1 - found("departures", "rate", Kind.SAME.value, arm).value for arm in (NORMAL, EXPERT)}
    kinds = ((Kind.BETTER, "for the better"), (Kind.WORSE, "for the worse"), (Kind.SIDEWAYS, "sideways"))
    changes = ", ".join(f"{name} by {points(found('departures', 'rate', kind.value))}" for kind, name in kinds)
    return (
        f"**Where it leaves the way.** {_percent(leaving[NORMAL])} of token-normal's responses and "
        f"{_percent(leaving[EXPERT])} of Expert-Sample's leave the model's greedy solution at some step. Judged by the "
        f"first such step, Expert-Sample changes the share that leaves it {changes}."
    )


def _balance(found: Findings) -> str:
    change = found("departures", "balance")
    return (
        f"**{_balances(change)}** Departures for the better minus those for the worse: {points(change)} against "
        f"token-normal's; pass@1 changes by {points(found('gains', 'pass@1'))}."
    )


def _balances(change: Estimate) -> str:
    if change.low > -POINTS_MARGIN and change.high < POINTS_MARGIN:
        return f"Better and worse balance, within {100 * POINTS_MARGIN:g} points."
    if change.low > 0 or change.high < 0:
        return f"More are for the {'better' if change.low > 0 else 'worse'}."
    return "Whether better and worse balance cannot be told."


def _by_greedy(found: Findings) -> str:
    right = found("gains", "share of problems", "greedy right", "all").value
    parts = (
        f"where the greedy solution is {name} ({_percent(share)} of the problems) pass@1 changes by "
        f"{points(found('gains', 'pass@1', f'greedy {name}'))} and pass@n by "
        f"{points(found('gains', 'pass@n', f'greedy {name}'))}"
        for name, share in (("wrong", 1 - right), ("right", right))
    )
    return f"**{_enough(found)}** {_capital('; '.join(parts))}."


def _enough(found: Findings) -> str:
    """One of n is enough to gain, and one is not enough to lose."""
    wrong, right = (found("gains", "pass@n", f"greedy {name}") for name in ("wrong", "right"))
    if wrong.low > 0 and right.low > -POINTS_MARGIN:
        return "One of n is enough to gain, and n are not lost by one."
    if wrong.high < POINTS_MARGIN:
        return "Where the greedy solution is wrong, pass@n gains nothing."
    return "Whether one of n is enough cannot be told."


def _slope(found: Findings) -> str:
    slope, explained = (found("gains", f"{what} of pass@n/2", "better", EXPERT) for what in ("slope", "R2"))
    if math.isnan(slope.low):
        return "**Does a problem gain by its departures for the better?** Too few depart for the better to tell."
    verdict = "Problems gain by their departures for the better."
    if slope.low <= 0 <= slope.high:
        verdict = "Departures for the better do not show in what a problem gains."
    elif slope.high < 0:
        verdict = "Problems with more departures for the better gain less."
    return (
        f"**{verdict}** With 10 points more of the responses that depart for the better, pass@n/2 gains "
        f"{points(_scaled(slope, 0.1))}, by halves of the responses that share no noise; the share in one half "
        f"explains {_percent(explained.value)} of how problems differ in the other half's gain."
    )


def _alone(found: Findings) -> str:
    own, other = (found("gains", "solved by it alone", "all", arm) for arm in (EXPERT, NORMAL))
    kinds = ((Kind.BETTER, "for the better"), (Kind.SIDEWAYS, "sideways"))
    ways = " and ".join(
        f"{_percent(found('gains', 'way there', kind.value, EXPERT).value)} {name}" for kind, name in kinds
    )
    return (
        f"**The problems that it alone solves** are {_percent(own.value)} of all (token-normal alone: "
        f"{_percent(other.value)}). Their right responses left the greedy solution {ways}."
    )


def _routes(found: Findings) -> str:
    classes = [name for name in CLASS_NAMES if not math.isnan(found("routes", "likelier", name, EXPERT).value)]
    shares = ", ".join(f"{_share(found('routes', 'likelier', name, EXPERT))} at {name} tokens" for name in classes)
    gain = found("routes", "mean gain", ALL, EXPERT)
    return (
        f"**At the last layer alone** drawn routes make the token of a right solution likelier in {shares}; the "
        f"average drawn route gains {interval(gain.value, gain.low, gain.high, 4)} nats a token."
    )


def _explained(found: Findings) -> str:
    held = "beyond pass rate and entropy"
    told = {what: found("routes", f"slope of {what}", held, EXPERT) for what in ("pass@n/2", "diversity")}
    shares = {what: found("routes", f"R2 of {what}", held, EXPERT).value for what in told}
    diversity = with_interval(told["diversity"], 3, signed=True)
    some = [what for what, slope in told.items() if slope.low > 0 or slope.high < 0]
    verdict = "What they add there does not explain what problems gain."
    if some:
        verdict = f"What they add there explains some of what problems gain in {' and '.join(some)}."
    return (
        f"**{verdict}** A problem whose right tokens gain a standard deviation more by drawn routes, where they gain, "
        f"gains {points(told['pass@n/2'])} of pass@n/2 and {diversity} of diversity in its other "
        f"half of responses, pass rate and entropy being equal: {_percent(shares['pass@n/2'])} and "
        f"{_percent(shares['diversity'])} of the spread that these leave."
    )


def _flipped(found: Findings) -> str:
    all_flips = found("decisions", "flipped", "all", EXPERT)
    by_margin = "; ".join(
        f"{_percent(found('decisions', 'flipped', name, EXPERT).value)} at {words} "
        f"({_percent(found('decisions', 'share of decisions', name, 'all').value)} of the decisions)"
        for name, words in margin_classes()
        if not math.isnan(found("decisions", "flipped", name, EXPERT).value)
    )
    return (
        f"**Drawn routes of all layers flip close decisions.** {_share(all_flips)} of the draws make another token the "
        f"likeliest at a decision of the greedy solution; by what the two likeliest tokens are apart, {by_margin}."
    )


def _checked(found: Findings) -> str:
    arms = (
        f"{_percent(found('decisions', KEPT, 'computed', arm).value)} of {arm}'s solutions "
        f"({_percent(found('decisions', KEPT, 'sampled', arm).value)} of those sampled)"
        for arm in (NORMAL, EXPERT)
    )
    return f"**A check of these forwards:** the greedy solution is kept to its end in {', in '.join(arms)}."


def _same_way(found: Findings) -> str:
    own, ceiling = (
        (
            found("decisions", "rank correlation", of, EXPERT),
            found("decisions", "overlap of decisions", of, EXPERT),
            found("decisions", "overlap of tokens", of, EXPERT),
        )
        for of in (HOTTER, "other draws")
    )
    hot = found("decisions", "temperature", "all", HOTTER).value
    return (
        f"**The same decisions as hotter tokens?** Token sampling alone leaves the likeliest token as often at "
        f"temperature {hot:.2f}. The rank correlation over decisions between flips by drawn "
        f"routes and the chance that such tokens leave is {with_interval(own[0], 2)}, with other draws of the routes "
        f"{with_interval(ceiling[0], 2)}. Of what Expert-Sample leaves the likeliest token for, "
        f"{_share(own[1])} is at decisions where hotter tokens leave it as much, {_share(own[2])} for the same tokens; "
        f"other draws have {_share(ceiling[1])} and {_share(ceiling[2])} in common."
    )


def _worth(found: Findings) -> str:
    against = f"{EXPERT} - {HOTTER}"
    better, worse, sideways = (
        found("decisions", "left", kind.value, against) for kind in (Kind.BETTER, Kind.WORSE, Kind.SIDEWAYS)
    )
    verdict = "Its flips are worth as much as those of hotter tokens, as far as can be told."
    if better.low > 0 or worse.high < 0:
        verdict = "Its flips are better than those of hotter tokens."
    if better.high < 0 or worse.low > 0:
        verdict = "Its flips are worse than those of hotter tokens."
    return (
        f"**{verdict}** With as much left in all, a decision is left for the better by {points(better)} more than with "
        f"hotter tokens, for the worse by {points(worse)}, sideways by {points(sideways)}."
    )


def _share(one: Estimate) -> str:
    if math.isnan(one.low):
        return _percent(one.value)
    return f"{_percent(one.value)} ({100 * one.low:.1f} to {100 * one.high:.1f})"


def _scaled(one: Estimate, by: float) -> Estimate:
    return Estimate(one.value * by, one.low * by, one.high * by, one.se * by, one.n, one.method, one.reason)


def _percent(share: float) -> str:
    return "none" if math.isnan(share) else f"{100 * share:.1f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
