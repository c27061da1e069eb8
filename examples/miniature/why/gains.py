"""What departures are for: better and worse ones weighed, and what problems gain by them.

Written before any number was seen: pass@1 is untouched because departures for the better and for the worse balance;
pass@n gains because one response of n is enough, and one for the worse costs nothing. So it is the problems whose
greedy solution is wrong that gain, and the more of a problem's responses depart for the better, the more it gains.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.across import Floats, partial_slope, split_slope
from diversity_judge.measures.intervals import Estimate, outcome_estimate
from diversity_judge.measures.paired import mean_difference
from examples.miniature.why.departures import KINDS, Departures
from examples.miniature.why.fates import Kind
from examples.miniature.why.findings import CHANGE, EXPERT, NORMAL, Finding

ARMS = (NORMAL, EXPERT)
"""The strategies, in the order of the arrays."""
_BETTER, _WORSE = KINDS.index(Kind.BETTER), KINDS.index(Kind.WORSE)


def findings(found: Departures) -> Iterator[Finding]:
    """All numbers about departures and gains."""
    yield from _rates(found)
    yield from _balance(found)
    yield from _accounts(found)
    yield from _by_greedy(found)
    yield from _newly_solved(found)
    yield from _slopes(found)


def _rates(found: Departures) -> Iterator[Finding]:
    """Share of a problem's responses that depart in each way."""
    shares = _share(found.counts, found)
    for kind, values in zip(KINDS, np.moveaxis(shares, -1, 0), strict=True):
        for arm, own in zip(ARMS, values.T, strict=True):
            yield Finding("departures", "rate", kind.value, arm, outcome_estimate(own))
        yield Finding("departures", "rate", kind.value, CHANGE, _change(values))


def _balance(found: Departures) -> Iterator[Finding]:
    """Better minus worse."""
    shares = _share(found.counts, found)
    balance = shares[..., _BETTER] - shares[..., _WORSE]
    for arm, own in zip(ARMS, balance.T, strict=True):
        yield Finding("departures", "balance", "all", arm, mean_difference(own)[0])
    yield Finding("departures", "balance", "all", CHANGE, _change(balance))


def _accounts(found: Departures) -> Iterator[Finding]:
    """What each kind adds to pass@1: these add up to the change of pass@1."""
    shares = _share(found.right, found)
    for kind, values in zip(KINDS, np.moveaxis(shares, -1, 0), strict=True):
        yield Finding("departures", "pass@1", kind.value, CHANGE, _change(values))


def _by_greedy(found: Departures) -> Iterator[Finding]:
    """The gain of all problems, and of those whose greedy solution is right or wrong."""
    of = {"all": np.ones(len(found.problems), np.bool_), "greedy right": found.greedy_right}
    of["greedy wrong"] = ~found.greedy_right
    n, right = found.n.sum(axis=2), found.n_right.sum(axis=2)
    figures = {"pass@1": right / n, "pass@n": (right > 0).astype(np.float64), "diversity": found.diversity.mean(axis=2)}
    for name, members in of.items():
        for what, values in figures.items():
            own = values[members]
            own = own[~np.isnan(own).any(axis=1)]
            for arm, one in zip(ARMS, own.T, strict=True):
                yield Finding("gains", what, name, arm, outcome_estimate(one))
            yield Finding("gains", what, name, CHANGE, _change(own))
    yield Finding(
        "gains", "share of problems", "greedy right", "all", outcome_estimate(found.greedy_right.astype(float))
    )


def _newly_solved(found: Departures) -> Iterator[Finding]:
    """How the right responses departed, where one strategy solves a problem and the other does not."""
    solved = found.n_right.sum(axis=2) > 0
    for column, arm in enumerate(ARMS):
        members = solved[:, column] & ~solved[:, 1 - column]
        own = found.right[members, column].sum(axis=1)
        shares = own / own.sum(axis=1, keepdims=True)
        yield Finding("gains", "solved by it alone", "all", arm, outcome_estimate(members.astype(float)))
        for kind, values in zip(KINDS, shares.T, strict=True):
            yield Finding("gains", "way there", kind.value, arm, outcome_estimate(values))


def _slopes(found: Departures) -> Iterator[Finding]:
    """A problem's gain against the share of Expert-Sample's responses that depart for the better, or for the worse."""
    n, right = found.n, found.n_right
    share = found.counts / n[..., None]
    gains = {
        "pass@1": (right / n)[:, 1] - (right / n)[:, 0],
        "pass@n/2": (right[:, 1] > 0).astype(np.float64) - (right[:, 0] > 0),
    }
    for kind, place in (("better", _BETTER), ("worse", _WORSE)):
        x = share[:, 1, :, place]
        for what, gain in gains.items():
            yield Finding("gains", f"slope of {what}", kind, EXPERT, split_slope(x, gain))
            # The other half's figure alone, as it would be known in practice: what it explains.
            explained = partial_slope(x[:, 0], gain[:, 1], np.empty((len(x), 0)))[1]
            yield Finding("gains", f"R2 of {what}", kind, EXPERT, explained)


def _share(responses: NDArray[np.int64], found: Departures) -> Floats:
    """(P, S, K) of all responses of a problem and strategy."""
    return np.asarray(responses.sum(axis=2) / found.n.sum(axis=2)[..., None])


def _change(values: Floats) -> Estimate:
    """Expert-Sample minus token-normal, of (P, 2)."""
    return mean_difference(values[:, 1] - values[:, 0])[0]
