"""Does it matter which of two texts the judge reads first?

Both orders of a pair are judged and their difference is signed by what can be seen of the texts: the longer one first
minus the shorter one first. Over random orders the mean difference of any judge is 0, however swayed it is, so an
unsigned mean would acquit all. A judge that is swayed by something else than length shows in the spread: what is left
of the mean square difference once the noise of the draws is taken off.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diversity_judge.bands import Bands
from diversity_judge.measures.clustered import codes_of, mean_of, of_equal, of_sums, ratio, share_of, sums_by
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.findings import Finding, by_strategy, finding
from diversity_judge.measures.probes.retest import within
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.rubric import MAX_SCORE

PROBE = "order"
FAR = 2.0
"""Points apart at which two scores name different approaches."""
_SPAN = (-float(MAX_SCORE), float(MAX_SCORE))


def order_findings(
    as_run: Sample, swapped: Sample, first_is_longer: NDArray[np.bool_], bands: Bands
) -> tuple[Finding, ...]:
    """Mean, standard deviation and large values of the difference between orders; of all pairs and of each strategy's.

    Args:
        as_run: (N, K) draws in the run's order.
        swapped: (N, K') draws of the same pairs in the other order.
        first_is_longer: (N,) whether the text that stands first in the run's order is the longer one.
        bands: What is innocent.
    """
    columns = as_run.scores.reshape(len(as_run), -1).shape[1]
    sign = np.where(first_is_longer, 1.0, -1.0)
    table = np.concatenate([s.scores.reshape(len(as_run), -1) for s in (as_run, swapped)], axis=1)
    known = ~np.isnan(table)
    both = known[:, :columns].any(axis=1) & known[:, columns:].any(axis=1)
    # The sign travels with the scores, so that a part of the pairs keeps it.
    pairs = Sample(as_run.problem, as_run.strategy, np.column_stack([table, sign])).part(both)
    return by_strategy(pairs, lambda part, strategy: _figures(part, columns, strategy, bands))


def order_variance(as_run: NDArray[np.float64], swapped: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) each pair's unbiased estimate of the squared difference of orders without the noise of draws.

    With K and K' draws the difference d of the means has E[d^2] = D^2 + s_e^2 (1/K + 1/K'), and the pair's own draws
    estimate s_e^2.

    Args:
        as_run: (N, K) draws in one order.
        swapped: (N, K') draws in the other.

    Returns:
        NaN where a pair lacks an order or has no repeated draw.
    """
    squares, degrees = (a + b for a, b in zip(within(as_run), within(swapped), strict=True))
    counts = [(~np.isnan(scores)).sum(axis=1).astype(np.float64) for scores in (as_run, swapped)]
    means = [ratio(np.nansum(scores, axis=1), count) for scores, count in zip((as_run, swapped), counts, strict=True)]
    noise = ratio(squares, degrees) * (ratio(np.ones(len(as_run)), counts[0]) + ratio(np.ones(len(as_run)), counts[1]))
    return np.asarray((means[0] - means[1]) ** 2 - noise)


def _figures(pairs: Sample, columns: int, strategy: str | None, bands: Bands) -> tuple[Finding, ...]:
    as_run, swapped, sign = pairs.scores[:, :columns], pairs.scores[:, columns:-1], pairs.scores[:, -1]
    problem, n = pairs.problem, len(pairs)
    means = (pairs.with_scores(as_run).pair_means - pairs.with_scores(swapped).pair_means) * sign
    single = (_first(as_run) - _first(swapped)) * sign
    estimates = {
        "mean_difference": mean_of(means, problem, bounds=_SPAN),
        "sd_difference": _sd(single, problem),
        "sd_order": _sd_order(order_variance(as_run, swapped), problem),
        "differ_by_2": share_of(np.abs(single) >= FAR, problem),
    }
    notes = {
        "mean_difference": "longer text first minus shorter text first",
        "sd_order": "of the difference between orders, without the draws' noise",
    }
    return tuple(finding(PROBE, name, strategy, e, n, bands, notes.get(name, "")) for name, e in estimates.items())


def _first(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) each pair's first draw that has a score."""
    return np.asarray(scores[np.arange(len(scores)), np.argmax(~np.isnan(scores), axis=1)])


def _sd(differences: NDArray[np.float64], problem: NDArray[np.str_]) -> Estimate:
    columns = [differences**2, differences, np.ones(len(differences))]
    found = of_sums(_sd_of_sums, sums_by(codes_of(problem), columns), scale="log")
    return found


def _sd_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    squares, total, count = sums[..., 0], sums[..., 1], sums[..., 2]
    return np.asarray(np.sqrt(np.maximum(ratio(squares - ratio(total**2, count), count - 1), 0.0)))


def _sd_order(excess: NDArray[np.float64], problem: NDArray[np.str_]) -> Estimate:
    """Root of the mean excess, and of its interval's ends, 0 where they lie below."""
    known = ~np.isnan(excess)
    if not known.any():
        nan = float("nan")
        return Estimate(nan, nan, nan, nan, 0, "", "no pair was drawn twice in one order, so noise cannot be taken off")
    values = excess[known]
    found = of_sums(
        lambda sums: ratio(sums[..., 0], sums[..., 1]),
        sums_by(codes_of(problem[known]), [values, np.ones(len(values))]),
    )
    if found.se == 0.0 and not values.any():
        found = of_equal(found, len(values), (0.0, MAX_SCORE**2))
    low, value, high = (
        math.sqrt(max(0.0, x)) if not math.isnan(x) else x for x in (found.low, found.value, found.high)
    )
    return replace(found, value=value, low=low, high=high)
