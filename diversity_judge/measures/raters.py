"""Do several raters agree: people, judges, or people and a judge? Each pair of them, and all together.

Terms, used with just these meanings below:
    rater: a column of scores; who or what gave them does not matter.
    both: the pairs of responses that two raters have scored.

Quadratic weighted kappa is 1 - mean (x - y)^2 / the same with x and y independent (Cohen 1968), which is Lin's (1989)
concordance and a function of six sums; scores need not be whole. Krippendorff's alpha takes all raters at once, with
the ordinal metric, and pairs that some of them have not scored. Problems are the clusters of all intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import codes_of, mean_of, of_equal, of_sums, ratio, sums_by
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.retest import ordinal_alpha
from diversity_judge.rubric import MAX_SCORE

_DIGITS = 9
"""Means that agree in these are equal."""


@dataclass(frozen=True)
class RaterPair:
    """How two raters agree.

    Attributes:
        one: A rater.
        other: Another one.
        n: Pairs that both have scored.
        exact: Share of equal scores.
        within_one: Share of scores that differ by one or less.
        kappa: Quadratic weighted kappa.
        bias: Mean of the one's scores minus the other's, in points.
    """

    one: str
    other: str
    n: int
    exact: Estimate
    within_one: Estimate
    kappa: Estimate
    bias: Estimate


def rater_pairs(
    scores: NDArray[np.float64], names: Sequence[str], problem: NDArray[np.str_], *, highest: float = MAX_SCORE
) -> tuple[RaterPair, ...]:
    """Each two of some raters, in their order.

    Args:
        scores: (N, R), NaN where a rater has not scored a pair.
        names: (R,) of the raters.
        problem: (N,) the clusters.
        highest: Largest score.
    """
    return tuple(
        _pair(scores[:, [one, other]], names[one], names[other], problem, highest)
        for one, other in combinations(range(len(names)), 2)
    )


def quadratic_kappa(one: NDArray[np.float64], other: NDArray[np.float64], problem: NDArray[np.str_]) -> Estimate:
    """Quadratic weighted kappa of two raters over the pairs that both have scored, with its interval.

    Args:
        one: (N,) scores without NaN.
        other: (N,) likewise.
        problem: (N,) the clusters.

    Returns:
        NaN where both give one and the same score only.
    """
    columns = [np.ones(len(one)), one, other, one**2, other**2, one * other]
    found = of_sums(_kappa_of_sums, sums_by(codes_of(problem), columns), bounds=(-1.0, 1.0))
    return of_equal(found, len(one), (-1.0, 1.0)) if found.se == 0.0 else found


def raters_alpha(scores: NDArray[np.float64], problem: NDArray[np.str_]) -> Estimate:
    """Krippendorff's alpha of all raters, ordinal, with its interval.

    Args:
        scores: (N, R), NaN where a rater has not scored a pair; pairs with one score say nothing.
        problem: (N,) the clusters.
    """
    kept = (~np.isnan(scores)).sum(axis=1) > 1
    scores, codes = scores[kept].round(_DIGITS), codes_of(problem[kept])
    levels = np.unique(scores[~np.isnan(scores)])
    size, n_clusters = len(levels), int(codes.max()) + 1 if len(codes) else 0
    tables = np.zeros((n_clusters, size, size))
    weight = 1 / np.maximum((~np.isnan(scores)).sum(axis=1) - 1, 1)
    at = np.searchsorted(levels, np.nan_to_num(scores, nan=levels[0] if size else 0.0))
    for one, other in combinations(range(scores.shape[1]), 2):
        both = ~np.isnan(scores[:, one]) & ~np.isnan(scores[:, other])
        for a, b in ((one, other), (other, one)):
            np.add.at(tables, (codes[both], at[both, a], at[both, b]), weight[both])
    found = of_sums(
        lambda sums: ordinal_alpha(sums.reshape(*sums.shape[:-1], size, size)),
        tables.reshape(n_clusters, size * size),
        bounds=(-1.0, 1.0),
    )
    return of_equal(found, len(scores), (-1.0, 1.0)) if found.se == 0.0 else found


def _pair(scores: NDArray[np.float64], one: str, other: str, problem: NDArray[np.str_], highest: float) -> RaterPair:
    both = ~np.isnan(scores).any(axis=1)
    x, y, clusters = scores[both, 0], scores[both, 1], problem[both]
    apart = np.abs(x - y).round(_DIGITS)
    return RaterPair(
        one,
        other,
        len(x),
        mean_of((apart == 0).astype(np.float64), clusters, bounds=(0.0, 1.0)),
        mean_of((apart <= 1).astype(np.float64), clusters, bounds=(0.0, 1.0)),
        quadratic_kappa(x, y, clusters),
        mean_of(x - y, clusters, bounds=(-highest, highest)),
    )


def _kappa_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) from (..., 6) sums of 1, x, y, x^2, y^2, xy."""
    n = sums[..., 0]
    x, y, xx, yy, xy = (ratio(sums[..., k], n) for k in range(1, 6))
    expected = xx + yy - 2 * x * y
    return np.asarray(1 - ratio(xx + yy - 2 * xy, expected))
