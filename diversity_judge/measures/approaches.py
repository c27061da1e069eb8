"""Which responses of a group follow the same approach, by the judge's similarities.

Diversity is a mean and hides its shape: two camps of 16 and 32 loose variations can have the same value.
The number of approaches and the share of "same answer, other route" tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.choices import OTHER_ROUTE, SAME_APPROACH


@dataclass(frozen=True)
class ApproachCount:
    """Number of distinct approaches in a group, or its mean over subsets of the responses, at one threshold.

    Attributes:
        threshold: Responses at this similarity or more are joined.
        low: Number of approaches if every missing pair were joined.
        high: Number of approaches if no missing pair were joined.
    """

    threshold: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """The number of approaches; NaN where the missing pairs could change it."""
        return float(self.low) if self.low == self.high else float("nan")


@dataclass(frozen=True)
class OtherRoute:
    """How often two responses reach the same answer by another route.

    Attributes:
        n_pairs: Unordered pairs with a similarity and an answer on both sides.
        n_same_answer: Of these, pairs whose answers agree.
        n_other_route: Of these, pairs of a similarity no higher than the limit.
    """

    n_pairs: int
    n_same_answer: int
    n_other_route: int

    @property
    def share(self) -> float:
        """Share of all pairs that have the same answer by another route; NaN without a pair."""
        return self.n_other_route / self.n_pairs if self.n_pairs else float("nan")

    @property
    def share_of_same_answer(self) -> float:
        """Share of the pairs with the same answer that took another route; NaN without such a pair."""
        return self.n_other_route / self.n_same_answer if self.n_same_answer else float("nan")


def approach_labels(similarity: NDArray[np.float64], *, threshold: float = SAME_APPROACH) -> NDArray[np.int64]:
    """Approach of each response: the connected components at `similarity >= threshold`.

    Joined means linked by a chain of similar pairs, not that every two members are similar.

    Args:
        similarity: (n, n) symmetric, as `SimilarityMatrix.symmetric` gives it; NaN pairs aren't joined.
        threshold: In points of 0..5.

    Returns:
        (n,) labels 0, 1, ... in order of first appearance.
    """
    return _components(similarity >= threshold)


def count_approaches(similarity: NDArray[np.float64], *, threshold: float = SAME_APPROACH) -> ApproachCount:
    """Number of distinct approaches; see `approach_labels`.

    Args:
        similarity: (n, n) symmetric; NaN where missing. A thinned design leaves most pairs missing, so
            that `low` and `high` usually differ and there is no value.
        threshold: In points of 0..5; call it with several to see how much the number depends on it.
    """
    joined = similarity >= threshold
    low, high = _components(joined | np.isnan(similarity)), _components(joined)
    return ApproachCount(threshold, len(np.unique(low)), len(np.unique(high)))


def other_route(
    similarity: NDArray[np.float64], answers: Sequence[str | None], *, limit: float = OTHER_ROUTE
) -> OtherRoute:
    """Pairs with the same answer but a similarity no higher than `limit`.

    Args:
        similarity: (n, n) symmetric; NaN pairs are left out.
        answers: The n final answers; a pair with a None is left out. Compared as text, outer blanks aside.
        limit: In points of 0..5.

    Raises:
        ValueError: There isn't one answer a response.
    """
    if len(answers) != len(similarity):
        raise ValueError(f"{len(answers)} answers for {len(similarity)} responses")
    texts = np.array([None if answer is None else answer.strip() for answer in answers], dtype=object)
    known = np.array([answer is not None for answer in answers], dtype=bool)
    pairs = np.triu(known[:, None] & known & ~np.isnan(similarity), 1)
    same = pairs & (texts[:, None] == texts)
    return OtherRoute(int(pairs.sum()), int(same.sum()), int((same & (similarity <= limit)).sum()))


def _components(joined: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Connected component of each node, numbered in order of first appearance."""
    if not len(joined):
        return np.empty(0, dtype=np.int64)
    from scipy.sparse.csgraph import connected_components  # half a second, which every start would wait for

    _, labels = connected_components(joined, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
