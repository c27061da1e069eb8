"""Where one value stands among others, and whether two orders agree, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Rows = NDArray[np.floating[Any]]


def beaten_shares(values: Rows, others: Rows) -> NDArray[np.float64]:
    """The share of the others that a value beats, ties as half.

    Args:
        values: (N,).
        others: (N, M).

    Returns:
        (N,), in 0..1; 1/2 in the mean where the value is one more draw of the others' kind.
    """
    mine = values[:, None]
    return np.asarray(((others < mine) + 0.5 * (others == mine)).mean(axis=1))


def rank_correlations(left: Rows, right: Rows) -> NDArray[np.float64]:
    """Spearman's rank correlation of each row of two tables (N, M), ties by their mean rank; NaN for a constant row."""
    centred = []
    for values in (left, right):
        ranks = rankdata(values, axis=1)
        centred.append(ranks - ranks.mean(axis=1, keepdims=True))
    a, b = centred
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1)))
