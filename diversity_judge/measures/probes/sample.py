"""The scores that a probe bought, pair by pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.rubric import MAX_SCORE


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores of drawn pairs, or differences of such scores.

    Attributes:
        problem: (N,) the problem of each pair; it is the cluster.
        strategy: (N,) how its responses were sampled.
        scores: (N,) or (N, K) points, NaN where there is no score.
    """

    problem: NDArray[np.str_]
    strategy: NDArray[np.str_]
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ValueError: their lengths differ, or a score lies further from 0 than the scale is long.
        """
        n = len(self.scores)
        if self.problem.shape != (n,) or self.strategy.shape != (n,):
            raise ValueError(f"problem {self.problem.shape} and strategy {self.strategy.shape} must be ({n},)")
        if (np.abs(self.scores) > MAX_SCORE).any():
            raise ValueError(f"a score lies outside 0..{MAX_SCORE}; a missing score is NaN")

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.scores)

    def part(self, members: NDArray[np.bool_]) -> Sample:
        """Some of the pairs.

        Args:
            members: (N,) which.
        """
        return Sample(self.problem[members], self.strategy[members], self.scores[members])

    def with_scores(self, scores: NDArray[np.float64]) -> Sample:
        """The same pairs with other figures."""
        return Sample(self.problem, self.strategy, scores)

    @property
    def strategies(self) -> list[str]:
        """In order of appearance."""
        return list(dict.fromkeys(self.strategy.tolist()))

    @property
    def pair_means(self) -> NDArray[np.float64]:
        """(N,) mean of each pair's draws that have a score; NaN where none has."""
        table = self.scores.reshape(len(self), -1)
        count = (~np.isnan(table)).sum(axis=1)
        means = np.full(len(self), np.nan)
        np.divide(np.nansum(table, axis=1), count, out=means, where=count > 0)
        return means
