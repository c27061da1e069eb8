"""Figures that grow with the number of responses, brought to a common number.

More responses alone raise the Vendi score and the number of approaches, like the number of species in a larger catch.
Groups of unequal size are compared at the size of the smallest: the expected value in a random subset of so many
responses (rarefaction: Sanders 1968; Hurlbert 1971, Ecology 52, 577-586). All subsets are looked at where there are
few, else seeded random ones. The mean over pairs needs none of this: diversity is unbiased at any number of responses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from diversity_judge.choices import SAME_APPROACH
from diversity_judge.measures.approaches import ApproachCount
from diversity_judge.measures.matrix import EIGENVALUE_TOLERANCE, VendiScore
from diversity_judge.rubric import MAX_SCORE

SUBSETS = 400
"""Random subsets where there are more: the mean of a Vendi score is then known to about 0.01."""
_CELLS = 2**23
"""Of subsets' matrices at a time: 64 MiB."""
_SMALL = 64
"""Responses up to which powers of all matrices at once are faster than a search of each."""


def subsets(n: int, size: int, *, seed: int = 0) -> NDArray[np.intp]:
    """Subsets of `size` of n responses: all of them where they are no more than `SUBSETS`, else random ones.

    Returns:
        (B, size) positions.

    Raises:
        ValueError: not 1 <= size <= n.
    """
    if not 1 <= size <= n:
        raise ValueError(f"there are no subsets of {size} of {n} responses")
    if math.comb(n, size) <= SUBSETS:
        return np.array(list(combinations(range(n), size)), dtype=np.intp)
    order = np.random.default_rng(seed).random((SUBSETS, n)).argsort(axis=1)
    return order[:, :size]


def rarefied_vendi(similarity: NDArray[np.float64], size: int, *, seed: int = 0) -> VendiScore:
    """Mean Vendi score (order 1) of subsets of the responses, with the mean mass that their repair clipped.

    Args:
        similarity: (n, n) symmetric, 0..5, NaN where missing.
        size: Responses of a subset.
        seed: Of the random subsets.

    Returns:
        NaN where a pair is missing, as for the whole group.
    """
    if np.isnan(similarity).any():
        return VendiScore(float("nan"), float("nan"), 1.0)
    kernel = similarity / (MAX_SCORE * size)
    values = np.concatenate([np.linalg.eigvalsh(part) for part in _within(kernel, size, seed)])
    clipped = -np.where(values < -EIGENVALUE_TOLERANCE, values, 0.0).sum(axis=1)
    kept = np.where(values > EIGENVALUE_TOLERANCE, values, 0.0)
    shares = kept / kept.sum(axis=1, keepdims=True)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    return VendiScore(float(np.exp(entropy).mean()), float(clipped.mean()), 1.0)


def rarefied_approaches(
    similarity: NDArray[np.float64], size: int, *, threshold: float = SAME_APPROACH, seed: int = 0
) -> ApproachCount:
    """Mean number of distinct approaches in subsets of the responses; see `approaches.count_approaches`.

    Args:
        similarity: (n, n) symmetric, 0..5, NaN where missing.
        size: Responses of a subset.
        threshold: Responses at this similarity or more are joined.
        seed: Of the random subsets.
    """
    low, high = [], []
    for found in _within(similarity, size, seed):
        joined = found >= threshold
        low.append(_components(joined | np.isnan(found)))
        high.append(_components(joined))
    return ApproachCount(threshold, float(np.concatenate(low).mean()), float(np.concatenate(high).mean()))


def _within(matrix: NDArray[np.float64], size: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """(B, size, size): the part of the matrix that belongs to each subset, as many at a time as memory takes."""
    members = subsets(len(matrix), size, seed=seed)
    at_once = max(1, _CELLS // size**2)
    for start in range(0, len(members), at_once):
        some = members[start : start + at_once]
        yield matrix[some[:, :, None], some[:, None, :]]


def _components(joined: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of connected components of each graph of (B, m, m), each node joined to itself."""
    size = joined.shape[1]
    if size > _SMALL:
        return np.array([connected_components(graph, directed=False)[0] for graph in joined], dtype=np.int64)
    reached = joined.astype(np.float32)
    for _ in range(max(size - 1, 1).bit_length()):  # paths twice as long each time
        reached = (reached @ reached > 0).astype(np.float32)
    # A component is counted at its first member: the one that reaches nobody before it.
    before = np.tril(np.ones((size, size), dtype=np.bool_), -1)
    return np.asarray((~(reached.astype(np.bool_) & before).any(axis=2)).sum(axis=1), dtype=np.int64)
