"""What `why.csv` says, in sentences: Markdown for the report, the same words on the console."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from diversity_judge.measures.intervals import Estimate
from examples.miniature.verdicts import POINTS_MARGIN, points
from examples.miniature.why.fates import Kind
from examples.miniature.why.findings import EXPERT, NORMAL, TABLE, Findings, read

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


def _ways(found: Findings) -> str:
    leaving = {arm: 1 - found("departures", "rate", Kind.SAME.value, arm).value for arm in (NORMAL, EXPERT)}
    kinds = ((Kind.BETTER, "for the better"), (Kind.WORSE, "for the worse"), (Kind.SIDEWAYS, "sideways"))
    changes = "; ".join(f"{name} {points(found('departures', 'rate', kind.value))}" for kind, name in kinds)
    return (
        f"**Where it leaves the way.** {_percent(leaving[NORMAL])} of token-normal's responses and "
        f"{_percent(leaving[EXPERT])} of Expert-Sample's leave the model's greedy solution at some step. By the first "
        f"such step, Expert-Sample has more or fewer that leave it: {changes}."
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
    return f"**One of n is enough.** {_capital('; '.join(parts))}."


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


def _scaled(one: Estimate, by: float) -> Estimate:
    return Estimate(one.value * by, one.low * by, one.high * by, one.se * by, one.n, one.method, one.reason)


def _percent(share: float) -> str:
    return "none" if math.isnan(share) else f"{100 * share:.1f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
