"""Does the judge agree with itself when the same pair is shown again in the same order?

Draws of a pair share everything but the judge's own chance. Their spread is pooled over pairs (squares over degrees of
freedom); the share of equal draws is the mean over pairs; Krippendorff's alpha (2004, Content Analysis, chapter 11, and
his Computing Krippendorff's Alpha-Reliability, 2011) says how much of all spread is not noise, with the ordinal metric.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from diversity_judge.bands import Bands
from diversity_judge.measures.clustered import codes_of, mean_of, of_equal, of_sums, ratio, sums_by
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.findings import Finding, by_strategy, finding
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.rubric import MAX_SCORE, SCORES

PROBE = "retest"
LARGEST_VARIANCE = MAX_SCORE**2 / 2
"""Of two draws of a pair: 0 and 5."""


def retest_findings(sample: Sample, bands: Bands) -> tuple[Finding, ...]:
    """Spread within pairs, agreement of draws, alpha; of all pairs and of each strategy's.

    Args:
        sample: (N, K) whole scores, K draws of a pair in one order; a pair with fewer than two says nothing.
        bands: What is innocent.

    Raises:
        ValueError: a score is not whole.
    """
    return by_strategy(_drawn_again(sample), lambda part, strategy: _figures(part, strategy, bands))


def retest_sd(sample: Sample) -> Estimate:
    """Pooled standard deviation of a draw within its pair, in points, with its interval.

    Args:
        sample: (N, K) scores.
    """
    sample = _drawn_again(sample)
    squares, degrees = within(sample.scores)
    found = of_sums(pooled_sd, sums_by(codes_of(sample.problem), [squares, degrees]), scale="log")
    if found.se == 0.0 and found.value == 0:
        variance = of_equal(found, len(sample), (0.0, LARGEST_VARIANCE))
        return Estimate(0.0, 0.0, math.sqrt(variance.high), 0.0, found.n, variance.method)
    return found


def flips(sample: Sample) -> NDArray[np.int64]:
    """(6, 6) how often one draw of a pair has the row's score and a later one the column's.

    Args:
        sample: (N, K) scores in the order in which they were drawn.
    """
    counts, scores = np.zeros((len(SCORES), len(SCORES)), np.int64), sample.scores
    for earlier in range(scores.shape[1]):
        for later in range(earlier + 1, scores.shape[1]):
            both = ~np.isnan(scores[:, earlier]) & ~np.isnan(scores[:, later])
            np.add.at(counts, (scores[both, earlier].astype(int), scores[both, later].astype(int)), 1)
    return counts


def within(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared deviations from the pair's mean, and degrees of freedom.

    Args:
        scores: (N, K), NaN where there is none.

    Returns:
        (N,) and (N,); 0 and 0 for a pair with fewer than two scores.
    """
    known = ~np.isnan(scores)
    count = known.sum(axis=1)
    means = np.where(known, scores, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = (np.where(known, scores - means[:, None], 0.0) ** 2).sum(axis=1)
    return squares, np.maximum(count - 1, 0).astype(np.float64)


def ordinal_alpha(coincidences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Krippendorff's alpha with the ordinal metric.

    The metric's distance of two scores is that of their mean ranks among all scores that can be paired.

    Args:
        coincidences: (..., L, L), each unit's pairs of its scores over its number of scores less one, summed.

    Returns:
        (...); NaN where all scores are equal.
    """
    margins = coincidences.sum(axis=-1)
    ranks = np.cumsum(margins, axis=-1) - margins / 2
    distance = (ranks[..., :, None] - ranks[..., None, :]) ** 2
    seen = (coincidences * distance).sum(axis=(-2, -1))
    expected = np.einsum("...i,...j,...ij->...", margins, margins, distance)
    return np.asarray(1 - ratio(seen * (margins.sum(axis=-1) - 1), expected))


def pooled_sd(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) root of squares over degrees, from (..., 2) sums."""
    return np.asarray(np.sqrt(ratio(sums[..., 0], sums[..., 1])))


def _figures(sample: Sample, strategy: str | None, bands: Bands) -> tuple[Finding, ...]:
    counts = _levels(sample.scores)
    draws = counts.sum(axis=1)
    pairs = draws * (draws - 1)
    equal = (counts * (counts - 1)).sum(axis=1)
    near = equal + 2 * (counts[:, :-1] * counts[:, 1:]).sum(axis=1)
    estimates = {
        "sd_within_pair": retest_sd(sample),
        "exact_agreement": mean_of(ratio(equal, pairs), sample.problem, bounds=(0.0, 1.0)),
        "within_one": mean_of(ratio(near, pairs), sample.problem, bounds=(0.0, 1.0)),
        "alpha": _alpha(sample, counts),
    }
    return tuple(finding(PROBE, name, strategy, found, len(sample), bands) for name, found in estimates.items())


def _alpha(sample: Sample, counts: NDArray[np.float64]) -> Estimate:
    if not len(sample):
        return of_sums(lambda sums: sums[..., 0] * np.nan, np.zeros((0, 1)))
    shared = counts[:, :, None] * counts[:, None, :]
    shared[:, np.arange(len(SCORES)), np.arange(len(SCORES))] -= counts
    shared /= (counts.sum(axis=1) - 1)[:, None, None]
    sums = sums_by(codes_of(sample.problem), list(shared.reshape(len(sample), -1).T))
    found = of_sums(lambda s: ordinal_alpha(s.reshape(*s.shape[:-1], len(SCORES), -1)), sums, bounds=(-1.0, 1.0))
    return of_equal(found, len(sample), (-1.0, 1.0)) if found.se == 0.0 else found


def _drawn_again(sample: Sample) -> Sample:
    return sample.part((~np.isnan(sample.scores)).sum(axis=1) > 1)


def _levels(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 6) how often each pair was given each score.

    Raises:
        ValueError: one is not whole.
    """
    known = ~np.isnan(scores)
    if (scores[known] != np.rint(scores[known])).any():
        raise ValueError("draws of a pair are whole scores")
    counts: NDArray[np.float64] = (scores[:, :, None] == np.array(SCORES)).sum(axis=1).astype(np.float64)
    return counts
