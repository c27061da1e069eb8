"""How much a judge differs from itself when the same pair is shown again in the same order.

Draws of a pair share everything but the judge's own chance, so their spread within the pair is its noise, and the
pairs' spreads are pooled: sum of squared deviations from the pair's mean over the degrees of freedom, draws - 1 a
pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from diversity_judge.planning.judgment import Judgment


@dataclass(frozen=True)
class Retest:
    """The spread of repeated draws within pairs, in a form that can be added up.

    Attributes:
        squares: Sum of squared deviations from the mean of the pair in its order, in points squared.
        degrees: Draws beyond the first of each pair.
    """

    squares: float = 0.0
    degrees: int = 0

    def __add__(self, other: Retest) -> Retest:
        """Of both together."""
        return Retest(self.squares + other.squares, self.degrees + other.degrees)

    @property
    def sd(self) -> float:
        """Pooled standard deviation of a draw, in points of 0..5; NaN where no pair was drawn twice."""
        return math.sqrt(self.squares / self.degrees) if self.degrees else math.nan


def retest(judgments: Iterable[Judgment]) -> Retest:
    """Retest spread of a group's judgments; missing scores and pairs that needed no call are left out."""
    judgments = list(judgments)
    if not any(judgment.pair.draw for judgment in judgments):
        return Retest()
    asked = [judgment for judgment in judgments if judgment.score is not None and not judgment.is_duplicate]
    if not asked:
        return Retest()
    scores = np.array([judgment.score for judgment in asked], dtype=np.float64)
    cells = np.array([(judgment.pair.first, judgment.pair.second) for judgment in asked])
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    counts = np.bincount(cell)
    means = np.bincount(cell, scores) / counts
    return Retest(float(((scores - means[cell]) ** 2).sum()), int((counts - 1).sum()))
