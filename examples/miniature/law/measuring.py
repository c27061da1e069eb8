"""What the responses of a problem achieved: how many are right, how diverse they are, and what two verifiers choose.

The diversity is that of the exact judge over all pairs. Of a nearly deterministic model most responses are the same
solution, so each pair of different solutions is compared once, whatever the number of responses that wrote it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from diversity_judge.countdown import Countdown, Step, is_solution, read_steps, similarity
from diversity_judge.measures.verification import best_of_n_at
from diversity_judge.rubric import MAX_SCORE
from examples.miniature.law.learned_choice import Rewards
from examples.miniature.verifier import reward

Solution = tuple[tuple[str, int, int], ...]
"""The canonical steps of a response in order: all that a similarity depends on."""


@dataclass(frozen=True)
class Measured:
    """What the n responses of a group achieved; see `tables.OutcomeRow`."""

    n: int
    n_right: int
    diversity: float | None
    best_of_n: float
    best_of_n_learned: float | None


class ProblemMeasurer:
    """Measures groups of one problem; texts and pairs that several groups share are looked at once.

    Args:
        problem: Which.
        learned: The learned reward of each text that is measured; None where the reward model knows no such problem.
    """

    def __init__(self, problem: Countdown, learned: Rewards | None = None) -> None:
        self._problem, self._learned = problem, learned
        self._steps: dict[str, tuple[Step, ...]] = {}
        self._solved: dict[str, tuple[bool, float]] = {}
        self._similarities: dict[tuple[Solution, Solution], int] = {}

    def measure(self, texts: Sequence[str]) -> Measured:
        """Measure the responses of one group, which are one or more."""
        solved = [self._judged(text) for text in texts]
        right = np.array([is_right for is_right, _ in solved], dtype=np.float64)
        best = _best_of_all(right, [given for _, given in solved])
        learned = None if self._learned is None else _best_of_all(right, [self._learned[text] for text in texts])
        return Measured(len(texts), int(right.sum()), self._diversity(texts), best, learned)

    def _judged(self, text: str) -> tuple[bool, float]:
        if text not in self._solved:
            self._solved[text] = is_solution(self._problem, self._read(text)), reward(self._problem, text)
        return self._solved[text]

    def _read(self, text: str) -> tuple[Step, ...]:
        if text not in self._steps:
            self._steps[text] = read_steps(text)
        return self._steps[text]

    def _diversity(self, texts: Sequence[str]) -> float | None:
        """`1 - mean similarity / 5` over the pairs of responses that have steps."""
        written: dict[Solution, tuple[Step, ...]] = {}
        counts: Counter[Solution] = Counter()
        for text in texts:
            steps = self._read(text)
            if steps:
                solution = tuple(step.canonical for step in steps)
                written.setdefault(solution, steps)
                counts[solution] += 1
        n = counts.total()
        if n < 2:
            return None
        total = sum(MAX_SCORE * count * (count - 1) // 2 for count in counts.values())
        for one, other in combinations(sorted(counts), 2):
            total += counts[one] * counts[other] * self._similarity(one, other, written)
        return 1 - total / (MAX_SCORE * n * (n - 1) / 2)

    def _similarity(self, one: Solution, other: Solution, written: dict[Solution, tuple[Step, ...]]) -> int:
        if (one, other) not in self._similarities:
            self._similarities[one, other] = similarity(written[one], written[other])
        return self._similarities[one, other]


def _best_of_all(right: NDArray[np.float64], rewards: Sequence[float]) -> float:
    """Chance that the response of the highest reward is right, ties shared evenly."""
    return float(best_of_n_at(right, np.array(rewards), [len(rewards)])[0])
