"""Diversity of a part of the responses: among the correct ones, among the wrong ones, and between the two.

Wrong responses differ in more ways than right ones, so that a strategy can look diverse by being wrong. The part is
chosen by its outcome, and so is a selection: problems with two correct responses are the easier ones. Paired on
problems that selection is the same for both strategies, unless what is correct depends on the approach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.rubric import MAX_SCORE


@dataclass(frozen=True)
class SelectedDiversity:
    """Diversity over some of a group's pairs.

    Attributes:
        value: 1 - mean / 5 over their scores; NaN where no such pair has one.
        n_responses: Responses that could stand in such a pair.
        n_pairs: Unordered pairs of them that have a score.
    """

    value: float
    n_responses: int
    n_pairs: int


def diversity_within(matrix: SimilarityMatrix, members: NDArray[np.bool_]) -> SelectedDiversity:
    """Diversity among some of the responses.

    Args:
        matrix: Of the group.
        members: (n,) which responses.
    """
    return _of_cells(matrix, members[:, None] & members, int(members.sum()))


def diversity_between(
    matrix: SimilarityMatrix, some: NDArray[np.bool_], others: NDArray[np.bool_]
) -> SelectedDiversity:
    """Diversity of the pairs of which one response is among some and the other among others.

    Args:
        matrix: Of the group.
        some: (n,) which responses.
        others: (n,) which others; no response is in both.
    """
    across = some[:, None] & others
    return _of_cells(matrix, across | across.T, int((some | others).sum()))


def _of_cells(matrix: SimilarityMatrix, cells: NDArray[np.bool_], n_responses: int) -> SelectedDiversity:
    scored = matrix.scored & cells
    value = 1 - float(matrix.scores[scored].mean()) / MAX_SCORE if scored.any() else float("nan")
    return SelectedDiversity(value, n_responses, int(np.triu(scored | scored.T, 1).sum()))
