"""Scores made from known components, not rounded: what estimates of components are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.components import Components, variance_components
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.moments import JudgedGroup
from diversity_judge.measures.probes.sample import Sample

LEVEL = 2.5
N_AGAIN = 100
DRAWS = 3


@dataclass(frozen=True, eq=False)
class Study:
    """One simulated run.

    Attributes:
        expected: (P, S, n, n) what the judge means to give, i shown first.
        scores: (P, S, n, n) what it gave.
        wanted: (n, n) each unordered pair once, in balanced orientation.
        draw_sd: The judge's noise.
        generator: For what is asked again.
    """

    expected: NDArray[np.float64]
    scores: NDArray[np.float64]
    wanted: NDArray[np.bool_]
    draw_sd: float
    generator: np.random.Generator

    @classmethod
    def draw(
        cls,
        generator: np.random.Generator,
        variances: Mapping[str, float],
        *,
        n_problems: int,
        n_responses: int,
        n_strategies: int = 2,
    ) -> Study:
        sd = {name: variance**0.5 for name, variance in variances.items()}
        groups = (n_problems, n_strategies)
        cells = (*groups, n_responses, n_responses)
        level = generator.normal(LEVEL, sd["problem"], (n_problems, 1))
        level = level + generator.normal(0, sd["strategy_by_problem"], groups)
        response = generator.normal(0, sd["response"], (*groups, n_responses))
        pair = np.triu(generator.normal(0, sd["pair"], cells), 1)
        order = np.triu(generator.normal(0, sd["order"], cells), 1)
        expected = level[..., None, None] + response[..., :, None] + response[..., None, :]
        expected = expected + pair + pair.swapaxes(2, 3) + order - order.swapaxes(2, 3)
        first, second = np.indices(cells[2:])
        gap = (second - first) % n_responses
        wanted = (gap > 0) & ((2 * gap < n_responses) | ((2 * gap == n_responses) & (first < second)))
        scores = expected + generator.normal(0, sd["draw"], cells)
        return cls(expected, scores, wanted, sd["draw"], generator)

    def groups(self) -> list[JudgedGroup]:
        return [
            JudgedGroup(f"p{p}", f"s{s}", SimilarityMatrix(np.where(self.wanted, scores, np.nan), self.wanted))
            for p, row in enumerate(self.scores)
            for s, scores in enumerate(row)
        ]

    def asked_again(self) -> tuple[Sample, Sample]:
        """Draws in the run's order, the first one the run's own, and one in the other order."""
        n_problems, n_strategies = self.scores.shape[:2]
        at = np.arange(N_AGAIN)
        p, s = at % n_problems, self.generator.integers(0, n_strategies, N_AGAIN)
        cells = np.argwhere(self.wanted)
        i, j = cells[self.generator.integers(0, len(cells), N_AGAIN)].T
        again = self.expected[p, s, i, j][:, None] + self.generator.normal(0, self.draw_sd, (N_AGAIN, DRAWS))
        again[:, 0] = self.scores[p, s, i, j]
        swapped = self.expected[p, s, j, i] + self.generator.normal(0, self.draw_sd, N_AGAIN)
        names = np.array([f"p{k}" for k in p]), np.array([f"s{k}" for k in s])
        return Sample(*names, again), Sample(*names, swapped)

    def components(self) -> Components:
        return variance_components(self.groups(), *self.asked_again())
