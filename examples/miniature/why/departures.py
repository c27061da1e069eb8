"""Where the responses of two strategies leave the model's own way, counted by problem.

The model's own way is its greedy solution. It is no sample of either strategy, so that neither is nearer to it by
choice. Each strategy's responses are split in two by their number, so that one half can say what a problem is like and
the other what it gains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.countdown import Countdown, Step, is_solution, read_problem, read_steps
from diversity_judge.inputs.responses import Group, Response
from examples.miniature.law.measuring import ProblemMeasurer
from examples.miniature.why.fates import Kind, departure

KINDS = tuple(Kind)
HALVES = 2

Solution = tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Departures:
    """Responses of S strategies to P problems in 2 halves, by K kinds of departure in the order of `KINDS`.

    Attributes:
        problems: (P,) their ids.
        greedy_right: (P,) whether the model's own way is right.
        counts: (P, S, 2, K) responses.
        right: (P, S, 2, K) of these, the right ones.
        diversity: (P, S, 2) by the exact judge, of a half's responses that have steps; NaN for fewer than two.
    """

    problems: tuple[str, ...]
    greedy_right: NDArray[np.bool_]
    counts: NDArray[np.int64]
    right: NDArray[np.int64]
    diversity: NDArray[np.float64]

    @property
    def n(self) -> NDArray[np.int64]:
        """(P, S, 2) responses."""
        return np.asarray(self.counts.sum(axis=3))

    @property
    def n_right(self) -> NDArray[np.int64]:
        """(P, S, 2) right responses."""
        return np.asarray(self.right.sum(axis=3))


def departures(greedy: Mapping[str, Group], strategies: Sequence[Mapping[str, Group]]) -> Departures:
    """Count the departures of strategies from the greedy solution, at all problems that every mapping has.

    Args:
        greedy: Problem to its greedy response.
        strategies: Each problem to the strategy's graded responses.
    """
    names = sorted(set(greedy).intersection(*strategies))
    shape = (len(names), len(strategies), HALVES)
    found = Departures(
        tuple(names),
        np.zeros(len(names), np.bool_),
        np.zeros((*shape, len(KINDS)), np.int64),
        np.zeros((*shape, len(KINDS)), np.int64),
        np.full(shape, np.nan),
    )
    for row, name in enumerate(names):
        way = greedy[name].responses[0]
        problem, reference = read_problem(way.problem or ""), read_steps(way.text)
        found.greedy_right[row] = is_solution(problem, reference)
        counter = _Counter(problem, reference)
        for column, groups in enumerate(strategies):
            for half in range(HALVES):
                own = [response for place, response in halved(groups[name].responses) if place == half]
                found.counts[row, column, half] = counter.kinds(own)
                found.right[row, column, half] = counter.kinds([one for one in own if one.correct is True])
                found.diversity[row, column, half] = counter.diversity(own)
    return found


def halved(responses: Sequence[Response]) -> list[tuple[int, Response]]:
    """Each response with its half: even and odd rank by sample number, since files have them as they were finished."""
    ordered = sorted(responses, key=lambda response: int(response.sample_id))
    return [(rank % HALVES, response) for rank, response in enumerate(ordered)]


class _Counter:
    """Looks at one problem's solutions; most are written more than once."""

    def __init__(self, problem: Countdown, reference: Solution) -> None:
        self._problem, self._reference, self._measurer = problem, reference, ProblemMeasurer(problem)
        self._kinds: dict[Solution, Kind] = {}

    def kinds(self, responses: Sequence[Response]) -> list[int]:
        """How many there are of each kind."""
        times = Counter(self._kind(read_steps(response.text)) for response in responses)
        return [times[kind] for kind in KINDS]

    def diversity(self, responses: Sequence[Response]) -> float:
        """NaN where there are not two with steps."""
        found = self._measurer.measure([response.text for response in responses]).diversity if responses else None
        return float("nan") if found is None else found

    def _kind(self, steps: Solution) -> Kind:
        if steps not in self._kinds:
            self._kinds[steps] = departure(self._problem, self._reference, steps)
        return self._kinds[steps]
