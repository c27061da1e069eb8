"""What a probe found: a figure, its interval, and a verdict against a band that was stated beforehand.

The verdict is read off the 95 % interval alone. Wholly within the band: inside. Wholly without: outside. Across an end:
too few to tell, with the number of answers at which an interval around the same value would not reach that end any
more, for an interval shrinks with the root of their number. Never "no bias": few answers must not acquit.

A judge's figure at the very end of a band is called outside in at most 2.5 of 100 samples (one end of the interval),
and one that lies within it by the interval's half width hardly ever, which is why many verdicts in one report do not
add up to a false accusation: benchmarks/planted_bias.py counts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from diversity_judge.bands import Band, Bands
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.sample import Sample

MOST_NEEDED = 100_000
"""Where the value stands at the end of its band to this accuracy, no number of answers tells."""


class Verdict(str, Enum):
    """What can be said of a figure; the value is the word in the tables."""

    INSIDE = "inside the band"
    OUTSIDE = "outside the band"
    TOO_FEW = "too few to tell"


@dataclass(frozen=True)
class Finding:
    """One figure of a probe: a row of reliability.csv.

    Attributes:
        probe: Which question was asked.
        metric: Which figure of it.
        strategy: Of which strategy's pairs; None: of all.
        value: The figure; NaN where it cannot be had.
        ci_low: Lower end of its 95 % interval; NaN where there is none.
        ci_high: Upper end.
        n: Pairs (replies for `instrument`) that it comes from.
        verdict: Against its band; None where the metric has no band.
        needed: With `too few to tell`, how many pairs would tell if the value stayed; None where no number does.
        detail: A sentence: the band and its reason, what is needed, why there is no interval.
    """

    probe: str
    metric: str
    strategy: str | None
    value: float
    ci_low: float
    ci_high: float
    n: int
    verdict: Verdict | None
    needed: int | None
    detail: str


def finding(
    probe: str, metric: str, strategy: str | None, estimate: Estimate, n: int, bands: Bands, note: str = ""
) -> Finding:
    """A figure and what its band says of it.

    Args:
        probe: Which question was asked.
        metric: Which figure of it.
        strategy: None: of all strategies.
        estimate: Value and interval.
        n: Pairs that it comes from.
        bands: All bands.
        note: What a reader has to know besides.
    """
    band = bands.get((probe, metric))
    verdict = None if band is None else _verdict(estimate, band)
    needed = _needed(estimate, band, n) if band is not None and verdict is Verdict.TOO_FEW else None
    parts = [note, estimate.reason, "" if band is None else f"band: {band} ({band.reason})"]
    if verdict is Verdict.TOO_FEW:
        parts.insert(0, _what_is_needed(estimate, needed))
    detail = "; ".join(part for part in parts if part)
    return Finding(probe, metric, strategy, estimate.value, estimate.low, estimate.high, n, verdict, needed, detail)


def by_strategy(sample: Sample, figures: Callable[[Sample, str | None], tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """The figures of all pairs, then of each strategy's where there are several."""
    strategies = sample.strategies
    found = figures(sample, None)
    if len(strategies) > 1:
        for strategy in strategies:
            found += figures(sample.part(sample.strategy == strategy), strategy)
    return found


def _verdict(estimate: Estimate, band: Band) -> Verdict:
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return Verdict.TOO_FEW
    if estimate.high < band.low or estimate.low > band.high:
        return Verdict.OUTSIDE
    return Verdict.INSIDE if band.low <= estimate.low and estimate.high <= band.high else Verdict.TOO_FEW


def _needed(estimate: Estimate, band: Band, n: int) -> int | None:
    """Pairs at which the interval no longer reaches across an end of the band."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return None
    shrink = 1.0
    for end in (band.low, band.high):
        if estimate.low < end < estimate.high:
            reach = estimate.high - estimate.value if end > estimate.value else estimate.value - estimate.low
            distance = abs(end - estimate.value)
            shrink = max(shrink, reach / distance if distance > 0 else np.inf)
    needed = n * shrink**2
    return max(n + 1, math.ceil(needed)) if needed <= MOST_NEEDED else None


def _what_is_needed(estimate: Estimate, needed: int | None) -> str:
    if math.isnan(estimate.low):
        return ""
    return "no number tells: the value stands at an end of the band" if needed is None else f"{needed} would tell"
