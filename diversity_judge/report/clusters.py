"""An order of responses in which a heat map shows its clusters as blocks along the diagonal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from diversity_judge.measures.approaches import approach_labels
from diversity_judge.rubric import MAX_SCORE


def cluster_order(similarity: NDArray[np.float64], *, threshold: float) -> list[int]:
    """Positions of the responses, those of one approach together, the largest approach first.

    Within an approach, and among approaches of one size, similar responses stand near each other: average linkage
    with optimally ordered leaves (Bar-Joseph et al. 2001). A missing pair counts as the mean of the known ones.

    Args:
        similarity: (n, n) symmetric in 0..5; NaN where missing.
        threshold: Similarity at which two responses share an approach.
    """
    n = len(similarity)
    if n < 3:
        return list(range(n))
    known = similarity[np.triu(~np.isnan(similarity), 1)]
    filled = np.where(np.isnan(similarity), known.mean() if len(known) else 0.0, similarity)
    distance = MAX_SCORE - filled
    np.fill_diagonal(distance, 0.0)
    leaves = leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True))
    place = np.argsort(leaves)
    labels = approach_labels(similarity, threshold=threshold)
    sizes = np.bincount(labels)
    first_place = np.array([place[labels == label].min() for label in range(len(sizes))])
    order = sorted(range(n), key=lambda i: (-sizes[labels[i]], first_place[labels[i]], place[i]))
    return [int(i) for i in order]
