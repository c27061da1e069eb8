"""Covariances of scores that share responses: unbiased, for whatever cells were scored.

Terms, used with just these meanings:
    cell: an ordered pair (i, j), i shown first; a score belongs to a cell.
    relation: how two cells are related: the same cell, each other's reverse, or sharing one response.
        Cells that share no response are independent.

Scores of exchangeable responses are a U-statistic plus the judge's noise, so by Hoeffding's decomposition their
covariance depends on the relation alone. Each is estimated from the residual products of its relation, the sums of the
dyadic-robust sandwich (Fafchamps and Gubert 2007; Aronow, Samii and Assenova 2015, arXiv 1312.3398), and the bias that
comes from subtracting the estimated mean is removed exactly, for the design as it was scored.

With y the N scores, e = y - mean(y), and R_k the 0/1 matrix that marks the pairs of cells in relation k:
Cov(y) = sum_k c_k R_k, so Var(mean(y)) = sum_k c_k n_k / N^2 with n_k = 1'R_k 1, and E[e'R_k e] = sum_l B_kl c_l with
B_kl = n_k [k = l] - 2 u_k'u_l / N + n_k n_l / N^2, u_k = R_k 1. Solving B c = (e'R_k e)_k gives unbiased c_k. No R_k is
ever formed: u_k and e'R_k e follow from row and column sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.matrix import SimilarityMatrix

SINGULAR = 1e-9
"""A scaled determinant below this is 0 but for rounding: the relations can't be told apart."""


@dataclass(frozen=True)
class RelationCovariances:
    """Unbiased covariances of the scores of one group's cells, by how two cells are related.

    Attributes:
        same: Of a cell with itself: its variance, points squared.
        reverse: Of a cell with its reverse; NaN where no cell's reverse is scored.
        sharing: Of two cells that share one response.
        mean: Variance of the mean of the scored cells, without the bound that `group_estimate` holds it at.
    """

    same: float
    reverse: float
    sharing: float
    mean: float


def relation_covariances(matrix: SimilarityMatrix) -> RelationCovariances:
    """The moments that the variance of a group's mean is made of; all NaN where the design cannot tell them apart."""
    scored = matrix.scored
    nan = float("nan")
    if not scored.any():
        return RelationCovariances(nan, nan, nan, nan)
    products, counts = relations(matrix.scores - matrix.scores[scored].mean(), scored)
    n_cells = int(scored.sum())
    found = covariances(products, counts, n_cells)
    mean = float(counts.sum(axis=1) @ found) / n_cells**2
    reverse = float(found[1]) if len(found) == 3 else nan
    return RelationCovariances(float(found[0]), reverse, float(found[-1]), mean)


def variance_of_mean(scores: NDArray[np.float64], scored: NDArray[np.bool_]) -> float:
    """Variance of the mean of the scored cells, at or above what independent cells would give.

    Args:
        scores: (n, n) by orientation; only scored cells are looked at.
        scored: (n, n) which.

    Returns:
        NaN if the design can't tell it.
    """
    y = scores[scored]
    if np.ptp(y) == 0:
        return 0.0
    products, counts = relations(scores - y.mean(), scored)
    n_cells = len(y)
    independent = _variance(products[:-1], counts[:-1], n_cells)
    shared = _variance(products, counts, n_cells)
    return float(np.fmax(np.fmax(independent, 0.0), shared)) if not np.isnan(shared) else float("nan")


def relations(
    residuals: NDArray[np.float64], scored: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of residual products e'R_k e (K,) and the counts u_k (K, N), for the relations that occur.

    Order: same cell, reverse cell (if any cell has its reverse), sharing one response (always last).

    Args:
        residuals: (n, n) scores less the mean of the scored ones.
        scored: (n, n) which cells are looked at.
    """
    e = np.where(scored, residuals, 0.0)
    first, second = np.nonzero(scored)
    has_reverse = scored.T[scored].astype(np.float64)
    cells_of = (scored.sum(axis=0) + scored.sum(axis=1)).astype(np.float64)
    same, reverse = float((e**2).sum()), float((e * e.T).sum())
    by_response = e.sum(axis=0) + e.sum(axis=1)
    # A cell meets itself and its reverse twice, once through either response.
    sharing = float((by_response**2).sum()) - 2 * (same + reverse)
    sharing_count = cells_of[first] + cells_of[second] - 2 * (1 + has_reverse)
    ones = np.ones_like(has_reverse)
    if has_reverse.any():
        return np.array([same, reverse, sharing]), np.array([ones, has_reverse, sharing_count])
    return np.array([same, sharing]), np.array([ones, sharing_count])


def covariances(products: NDArray[np.float64], counts: NDArray[np.float64], n_cells: int) -> NDArray[np.float64]:
    """Unbiased covariance (K,) of two cells of each relation; 0 for one that does not occur.

    Args:
        products: (K,) as of `relations`.
        counts: (K, N) likewise.
        n_cells: N.

    Returns:
        NaN if the design can't tell the relations apart.
    """
    totals = counts.sum(axis=1)
    present = totals > 0
    found = np.zeros(len(products))
    products, counts, totals = products[present], counts[present], totals[present]
    bias = np.diag(totals) - 2 * counts @ counts.T / n_cells + np.outer(totals, totals) / n_cells**2
    # Scaled to unit totals, so that what counts as singular doesn't depend on how many cells there are.
    if np.linalg.det(bias / np.sqrt(np.outer(totals, totals))) < SINGULAR:
        return np.full(len(found), np.nan)
    found[present] = np.linalg.solve(bias, products)
    return found


def _variance(products: NDArray[np.float64], counts: NDArray[np.float64], n_cells: int) -> float:
    """Unbiased variance of the mean from the given relations alone; NaN if they can't be told apart."""
    return float(counts.sum(axis=1) @ covariances(products, counts, n_cells)) / n_cells**2
