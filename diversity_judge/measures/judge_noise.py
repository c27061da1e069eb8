"""How much of a difference is the judge's own chance: what would change if the same pairs were asked again.

The components of a score (`components`) say how much a single judgment varies by itself: draws by s_e^2, orders by
s_o^2. A diversity is a mean over cells, so its part of that is known exactly from which cells were asked how often:
(sum over asked cells of s_e^2 / K + s_o^2 for each that was asked in one order only) / N^2 / 25, N the scored cells. In
both orders an order's effect cancels; identical texts that were not asked have no noise.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.rubric import MAX_SCORE


def group_noise(matrix: SimilarityMatrix, asked: NDArray[np.int64], *, draw: float, order: float) -> float:
    """Variance of a group's diversity by the judge's chance alone; NaN without a score.

    Args:
        matrix: (n, n) scores.
        asked: (n, n) how many draws of each cell have a score that the judge gave.
        draw: s_e^2, points squared.
        order: s_o^2, points squared.
    """
    n_cells = matrix.n_scored
    if not n_cells:
        return math.nan
    there = matrix.scored & (asked > 0)
    alone = there & ~there.T
    noise = draw * float((1 / asked[there]).sum()) + order * int(alone.sum())
    return noise / n_cells**2 / MAX_SCORE**2


def difference_noise(one: Mapping[str, float], other: Mapping[str, float], problems: Collection[str]) -> float:
    """Standard deviation of a paired difference of diversities by the judge's chance alone.

    Args:
        one: `group_noise` of a strategy's groups, by problem.
        other: Likewise of the other strategy.
        problems: Those that the difference is a mean over.

    Returns:
        NaN where the noise of a group is unknown.
    """
    if not problems:
        return math.nan
    total = sum(one.get(problem, math.nan) + other.get(problem, math.nan) for problem in problems)
    return math.sqrt(total) / len(problems)
