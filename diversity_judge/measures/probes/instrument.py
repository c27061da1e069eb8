"""Was it one judge that answered, and did it answer?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.bands import Bands
from diversity_judge.measures.clustered import share_of
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.findings import Finding, by_strategy, finding
from diversity_judge.measures.probes.sample import Sample

PROBE = "instrument"


@dataclass(frozen=True, eq=False)
class Replies:
    """What came back, one row a call, in the order in which it came.

    Attributes:
        problem: (N,) the problem asked about.
        strategy: (N,) the strategy of its responses.
        reason: (N,) why there is no score; empty where there is one.
        model: (N,) the model that the host named; empty where it named none.
        fingerprint: (N,) likewise the fingerprint of what it serves.
        host: (N,) who answered.
    """

    problem: NDArray[np.str_]
    strategy: NDArray[np.str_]
    reason: NDArray[np.str_]
    model: NDArray[np.str_]
    fingerprint: NDArray[np.str_]
    host: NDArray[np.str_]


def instrument_findings(replies: Replies, bands: Bands) -> tuple[Finding, ...]:
    """Share of replies without a score, in all, by reason and by strategy; how many models, fingerprints and hosts."""
    unusable = Sample(replies.problem, replies.strategy, (replies.reason != "").astype(np.float64))

    def figures(part: Sample, strategy: str | None) -> tuple[Finding, ...]:
        estimate = share_of(part.scores > 0, part.problem)
        return (finding(PROBE, "unusable_share", strategy, estimate, len(part), bands),)

    reasons = [reason for reason in np.unique(replies.reason).tolist() if reason]
    by_reason = (
        finding(
            PROBE, f"share_{reason}", None, share_of(replies.reason == reason, replies.problem), len(unusable), bands
        )
        for reason in reasons
    )
    seen = {"models": replies.model, "fingerprints": replies.fingerprint, "hosts": replies.host}
    counts = (_seen(metric, names, bands) for metric, names in seen.items())
    return (*by_strategy(unusable, figures), *by_reason, *counts)


def _seen(metric: str, names: NDArray[np.str_], bands: Bands) -> Finding:
    """How many different names were seen, and how often they changed from one reply to the next."""
    told = names[names != ""]
    distinct = list(dict.fromkeys(told.tolist()))
    changes = int((told[1:] != told[:-1]).sum())
    note = f"{', '.join(distinct) or 'none named'}; changed {changes} times from one reply to the next"
    count = float(len(distinct))
    return finding(
        PROBE, metric, None, Estimate(count, count, count, 0.0, len(names), "counted"), len(names), bands, note
    )
