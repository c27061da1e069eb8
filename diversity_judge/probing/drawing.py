"""Which pairs of a run are probed: every scored pair of a group has the same chance, whatever its score.

Strategies get equal shares, then the problems of each strategy. Within a group the pairs stand in order of their score
and every k-th is taken from a random start (systematic sampling, Madow and Madow 1944), so that all scores are seen in
the proportions in which they occur. Rare scores are not drawn more often: a score that is rare is more often a slip
of the judge than others are, and a sample that is rich in slips would make the next draws look better and the judge
look worse than it is (regression to the mean). The random starts of the groups are spread evenly over their range, so
that with few pairs a group the scores are balanced over groups too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diversity_judge.errors import InputError
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair
from diversity_judge.runs.loading import Run, RunGroup

FEWEST_PROBLEMS = 2
"""Problems are the clusters: one says nothing about how they differ, and has no unrelated response."""
_GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it modulo 1 are spread evenly however many there are (Weyl)."""


@dataclass(frozen=True)
class DrawnPair:
    """A pair of a run that is probed.

    Attributes:
        group: Place of its group among the judged groups of the run.
        problem_id: Its problem.
        strategy: Its strategy.
        pair: In the order in which the run asked.
        score: The run's own.
    """

    group: int
    problem_id: str
    strategy: str
    pair: Pair
    score: int


def draw_pairs(run: Run, n_pairs: int, seed: int = 0) -> tuple[DrawnPair, ...]:
    """Draw pairs of a run, in order of its groups.

    Args:
        run: A judged run.
        n_pairs: How many; all that can be drawn where there are fewer.
        seed: Of the choice.

    Raises:
        InputError: no pair has a score that the judge gave, or all such pairs are of one problem.
    """
    members = [member for member in run.groups if member.judgments]
    generator = np.random.default_rng(seed)
    candidates = _candidates(members, generator)
    _refuse_too_few(run, members, candidates)
    shares = _shares(members, [len(found) for found in candidates], n_pairs, generator)
    start = generator.random()
    drawn = []
    for place, (member, found, share) in enumerate(zip(members, candidates, shares, strict=True)):
        for judgment in _systematic(found, share, (start + place * _GOLDEN) % 1, generator):
            assert judgment.score is not None
            drawn.append(DrawnPair(place, member.problem_id, member.strategy, judgment.pair, int(judgment.score)))
    return tuple(drawn)


def _candidates(members: Sequence[RunGroup], generator: np.random.Generator) -> list[list[Judgment]]:
    """A group's pairs that can be probed, each once: scored by the judge, and not the same two texts as another."""
    taken: set[str] = set()
    found = []
    for member in members:
        mine: dict[frozenset[int], Judgment] = {}
        for place in generator.permutation(len(member.judgments)).tolist():
            judgment = member.judgments[place]
            pair = frozenset(judgment.pair[:2])
            if judgment.pair.draw or judgment.score is None or judgment.key is None:
                continue
            if pair not in mine and judgment.key not in taken:
                mine[pair] = judgment
                taken.add(judgment.key)
        found.append(list(mine.values()))
    return found


def _refuse_too_few(run: Run, members: Sequence[RunGroup], candidates: Sequence[Sequence[Judgment]]) -> None:
    if not any(candidates):
        raise InputError(
            f"{run.path}: no pair has a score that the judge gave, so there is nothing to ask again; the score command "
            "of this run asks for what is missing"
        )
    problems = {member.problem_id for member, found in zip(members, candidates, strict=True) if found}
    if len(problems) < FEWEST_PROBLEMS:
        raise InputError(
            f"{run.path}: all scored pairs are of one problem, and how far a finding holds is known from how problems "
            f"differ; probe a run of {FEWEST_PROBLEMS} problems or more"
        )


def _shares(
    members: Sequence[RunGroup], rooms: Sequence[int], n_pairs: int, generator: np.random.Generator
) -> list[int]:
    """Pairs of each group: one after the other to the strategy, then to its problem, that has fewest so far."""
    order = generator.permutation(len(members)).tolist()
    shares = [0] * len(members)
    of_strategy = dict.fromkeys((member.strategy for member in members), 0)
    of_problem = dict.fromkeys((member.problem_id for member in members), 0)
    for _ in range(min(n_pairs, sum(rooms))):
        open_groups = [place for place in order if shares[place] < rooms[place]]
        place = min(
            open_groups,
            key=lambda g: (of_strategy[members[g].strategy], shares[g], of_problem[members[g].problem_id]),
        )
        shares[place] += 1
        of_strategy[members[place].strategy] += 1
        of_problem[members[place].problem_id] += 1
    return shares


def _systematic(found: Sequence[Judgment], share: int, start: float, generator: np.random.Generator) -> list[Judgment]:
    """So many of the judgments, every k-th in order of the score, in the order of the run."""
    if not share:
        return []
    ties = generator.random(len(found))
    by_score = sorted(range(len(found)), key=lambda place: (found[place].score or 0, ties[place]))
    step = len(found) / share
    chosen = [by_score[int((number + start) * step)] for number in range(share)]
    return sorted((found[place] for place in chosen), key=lambda judgment: judgment.pair)
