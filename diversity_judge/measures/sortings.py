"""Figures of responses that were sorted into classes: how many there are, which of a list, and how two sortings agree.

Counts grow with the number of responses, so they are taken at a common number: the expected value in a random subset
of m of n responses. A class of size s is missed by C(n - s, m) / C(n, m) of the subsets, which needs no simulation
(rarefaction: Hurlbert 1971, Ecology 52, 577-586).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.approaches import approach_labels, count_approaches


def expected_classes(labels: Sequence[int], size: int) -> float:
    """Expected number of different labels in a random subset.

    Args:
        labels: (n,) one a response.
        size: Responses of a subset; at least n takes all.

    Raises:
        ValueError: size is below 1, or there is no label.
    """
    if not labels:
        raise ValueError("there are no labels")
    n = len(labels)
    return sum(_chance_of_one(count, n, size) for count in Counter(labels).values())


def expected_coverage(labels: Sequence[int], n_classes: int, size: int) -> float:
    """Expected share of the classes 1..n_classes that a random subset holds (cover@n: Hu et al. 2026, 2601.08763).

    Args:
        labels: (n,) one a response; others than 1..n_classes count for none.
        n_classes: Classes that there are.
        size: Responses of a subset; at least n takes all.

    Raises:
        ValueError: size is below 1, or there is no label or no class.
    """
    if n_classes < 1 or not labels:
        raise ValueError(f"{len(labels)} labels of {n_classes} classes cover nothing")
    counts = Counter(label for label in labels if 1 <= label <= n_classes)
    return sum(_chance_of_one(count, len(labels), size) for count in counts.values()) / n_classes


def adjusted_rand_index(one: Sequence[int], other: Sequence[int]) -> float:
    """Agreement of two sortings of the same responses: 1 where they are the same, 0 on average by chance.

    Hubert and Arabie 1985, Journal of Classification 2, 193-218, in the pair-counting form
    2 (a d - b c) / ((a + b)(b + d) + (a + c)(c + d)). Two sortings that both make one class, or both make a class of
    each response, are the same: 1.

    Args:
        one: (n,) labels.
        other: (n,) labels.

    Raises:
        ValueError: they are not of the same length, or empty.
    """
    if len(one) != len(other) or not len(one):
        raise ValueError(f"two sortings of the same responses are wanted, not of {len(one)} and {len(other)}")
    table = Counter(zip(one, other, strict=True))
    n = len(one)
    together = 2 * _pairs(table.values())
    in_one, in_other = 2 * _pairs(Counter(one).values()), 2 * _pairs(Counter(other).values())
    only_one, only_other = in_one - together, in_other - together
    apart = n * (n - 1) - together - only_one - only_other
    if only_one == 0 and only_other == 0:
        return 1.0
    chance = (together + only_other) * (only_other + apart) + (together + only_one) * (only_one + apart)
    return 2.0 * (together * apart - only_other * only_one) / chance


def clusters_agreement(labels: Sequence[int], similarity: NDArray[np.float64], *, threshold: float) -> float:
    """Adjusted Rand index of a sorting and the clusters of a similarity matrix; see `approaches.approach_labels`.

    Args:
        labels: (n,) of the sorting.
        similarity: (n, n) symmetric; NaN where missing.
        threshold: Responses at this similarity or more are joined.

    Returns:
        NaN where missing pairs could change the clusters.
    """
    if len(labels) < 2 or math.isnan(count_approaches(similarity, threshold=threshold).value):
        return math.nan
    return adjusted_rand_index(labels, approach_labels(similarity, threshold=threshold).tolist())


def _chance_of_one(count: int, n: int, size: int) -> float:
    """That a subset holds at least one of the members of a class."""
    if size < 1:
        raise ValueError(f"a subset has at least 1 response, not {size}")
    size = min(size, n)
    return 1.0 - math.comb(n - count, size) / math.comb(n, size)


def _pairs(counts: Iterable[int]) -> int:
    return sum(math.comb(count, 2) for count in counts)
