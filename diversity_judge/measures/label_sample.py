"""How many labels each group of pairs gets, so that each pair's chance to be labelled is known exactly.

Terms, used with just these meanings below:
    quota: labels for one strategy.
    expected: of a group, the mean number of its labels over all draws; the groups of a strategy get equal ones, and a
        group with fewer pairs than that gives all of them.

A group's number of labels is its expected one, rounded up or down by systematic sampling (Madow 1949) over the groups
in a random order: exactly the quota in all, and the mean is exactly the expected one. Within a group the pairs are a
simple random sample. So a pair's chance is expected / pairs of the group, whatever the groups' sizes. Strategies that
take the problems in the same order with the same start get labels on the same problems, and a difference of strategies
then has its problem-by-problem pairing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-9
"""Sums of shares are this close to whole numbers."""


def expected_labels(n_pairs: ArrayLike, quota: int) -> NDArray[np.float64]:
    """Expected labels of each group: equal, but no more than it has pairs.

    Args:
        n_pairs: (G,) pairs of each group that can be labelled.
        quota: Labels in all; with more than there are pairs, every pair is labelled.

    Returns:
        (G,), summing to the quota or to the number of pairs.
    """
    pairs = np.asarray(n_pairs, dtype=np.float64)
    left, n_left = float(min(quota, pairs.sum())), len(pairs)
    expected = np.zeros(len(pairs))
    for group in np.argsort(pairs, kind="stable"):
        expected[group] = min(pairs[group], left / n_left)
        left, n_left = left - expected[group], n_left - 1
    return expected


def drawn_counts(expected: ArrayLike, start: float) -> NDArray[np.int64]:
    """Whole numbers of labels by systematic sampling: each is its expected number rounded up or down.

    Args:
        expected: (G,) in a random order.
        start: Uniform in [0, 1).

    Returns:
        (G,); each one's mean over starts is its expected number.
    """
    ends = np.floor(np.cumsum(np.asarray(expected, dtype=np.float64)) + start + _ROUNDING)
    return np.diff(ends, prepend=0.0).astype(np.int64)
