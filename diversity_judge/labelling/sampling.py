"""Which pairs of a run people are asked about: a random sample with known chances, and controls among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from diversity_judge.errors import InputError
from diversity_judge.measures.label_sample import drawn_counts, expected_labels
from diversity_judge.runs.labels import IDENTICAL, PAIR, UNRELATED
from diversity_judge.runs.loading import Run, RunGroup


class Place(NamedTuple):
    """A response of a run."""

    group: RunGroup
    position: int


@dataclass(frozen=True, eq=False)
class Chosen:
    """A pair that people are to be asked about.

    Attributes:
        kind: `pair`, `control-identical` or `control-unrelated`.
        first: One response.
        second: The other.
        probability: Chance with which it was chosen; None for a control.
        group_probability: Chance that its group got a label; None for a control.
        n_pairs: Pairs of the group with a score of the run; None for a control.
        n_asked: Of these, those that could be chosen; None for a control.
    """

    kind: str
    first: Place
    second: Place
    probability: float | None = None
    group_probability: float | None = None
    n_pairs: int | None = None
    n_asked: int | None = None


@dataclass(frozen=True, eq=False)
class _Population:
    """The pairs of a group of which one may be labelled.

    Attributes:
        group: The group.
        pairs: (N, 2) positions of the pairs that the judge scored and was asked about.
        n_scored: Pairs with a score, those of identical texts that were given 5 unasked too.
    """

    group: RunGroup
    pairs: list[tuple[int, int]]
    n_scored: int


def choose_pairs(run: Run, n_pairs: int, rng: np.random.Generator) -> list[Chosen]:
    """A random sample of the run's pairs, equal over strategies and problems.

    Pairs of identical texts to which the run gave 5 without asking are not among them: what people would say of them
    is known.

    Args:
        run: A judged run.
        n_pairs: How many in all; fewer where the run has fewer.
        rng: Of the draw.

    Raises:
        InputError: no pair of the run was asked about and scored.
    """
    populations = [population for group in run.groups if group.judgments if (population := _population(group)).pairs]
    if not populations:
        raise InputError(f"{run.path}: no pair of two different texts has a score, so there is nothing to label")
    strategies = list(dict.fromkeys(population.group.strategy for population in populations))
    problems = list(dict.fromkeys(population.group.problem_id for population in populations))
    order = {problems[place]: rank for rank, place in enumerate(rng.permutation(len(problems)))}
    start = float(rng.random())
    chosen: list[Chosen] = []
    for number, strategy in enumerate(strategies):
        quota = n_pairs // len(strategies) + (number < n_pairs % len(strategies))
        mine = sorted(
            (population for population in populations if population.group.strategy == strategy),
            key=lambda population: order[population.group.problem_id],
        )
        expected = expected_labels([len(population.pairs) for population in mine], quota)
        for population, mean, count in zip(mine, expected.tolist(), drawn_counts(expected, start), strict=True):
            chosen += _drawn(population, mean, int(count), rng)
    return chosen


def choose_controls(chosen: Sequence[Chosen], n_controls: int, rng: np.random.Generator) -> list[Chosen]:
    """Pairs with a known answer: a text beside itself, and responses to two different problems.

    Args:
        chosen: The pairs, from whose responses the controls are made.
        n_controls: How many, half of each kind; where there is one problem only, all are of the first kind.
        rng: Of the draw.
    """
    places = [pair.first for pair in chosen]
    firsts = [places[at] for at in rng.permutation(len(places))]
    controls = []
    for number in range(n_controls):
        first = firsts[number % len(firsts)]
        others = [place for place in places if place.group.problem_id != first.group.problem_id]
        if number % 2 and others:
            controls.append(Chosen(UNRELATED, first, others[int(rng.integers(len(others)))]))
        else:
            controls.append(Chosen(IDENTICAL, first, first))
    return controls


def _population(group: RunGroup) -> _Population:
    scores = group.matrix.symmetric()
    scored = {(int(i), int(j)) for i, j in zip(*np.nonzero(~np.isnan(np.triu(scores, 1))), strict=True) if i < j}
    unasked = {_unordered(j.pair.first, j.pair.second) for j in group.judgments if j.is_duplicate}
    return _Population(group, sorted(scored - unasked), len(scored))


def _unordered(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _drawn(population: _Population, expected: float, count: int, rng: np.random.Generator) -> Iterator[Chosen]:
    group, n = population.group, len(population.pairs)
    for at in rng.choice(n, size=count, replace=False).tolist():
        first, second = population.pairs[at]
        yield Chosen(
            PAIR,
            Place(group, first),
            Place(group, second),
            probability=expected / n,
            group_probability=min(1.0, expected),
            n_pairs=population.n_scored,
            n_asked=n,
        )
