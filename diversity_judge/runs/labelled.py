"""Labels put beside the scores that a run gave to the same pairs.

A label's pair is found by its ids, and its texts must then be those of the run; or by its texts alone. A label of a
pair that the run does not have is no label of this run: that is an error, with file and line, unless it is asked for
that such labels are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from diversity_judge.errors import InputError
from diversity_judge.measures.agreement import SharedGroup
from diversity_judge.runs.labels import PAIR, Label, Labels, text_digest
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.text_safety import printable

_MOST_NAMED = 10


@dataclass(frozen=True, eq=False)
class LabelledPair:
    """A pair of a run that people labelled.

    Attributes:
        group: The problem under a strategy.
        first: Position of one of its responses, the lower one.
        second: Of the other.
        judge: The run's score 0..5, the mean of its judgments of the pair; NaN where it has none.
        is_unasked: Whether the run gave 5 to identical texts without asking.
        labels: What each person said, by name.
        probability: Chance with which the pair was chosen to be labelled; NaN where it is not known.
        group_probability: Chance that its group got a label; NaN likewise.
        n_pairs: Pairs of the group from which it was chosen; None likewise.
        n_asked: Of these, those that could be chosen; the others are of identical texts.
    """

    group: RunGroup
    first: int
    second: int
    judge: float
    is_unasked: bool
    labels: Mapping[str, float]
    probability: float
    group_probability: float
    n_pairs: int | None
    n_asked: int | None

    @property
    def label(self) -> float:
        """The mean of what the people said."""
        return float(np.mean(list(self.labels.values())))

    @property
    def strategy(self) -> str:
        """How the responses were sampled."""
        return self.group.strategy

    @property
    def problem_id(self) -> str:
        """The problem."""
        return self.group.problem_id


@dataclass(frozen=True, eq=False)
class LabelledRun:
    """A run with labels of some of its pairs.

    Attributes:
        run: The run.
        labels: The labels as they were read.
        pairs: The labelled pairs, in the order of the labels.
        n_unknown: Labels of pairs that are not in the run, which were left out.
    """

    run: Run
    labels: Labels
    pairs: tuple[LabelledPair, ...]
    n_unknown: int

    @cached_property
    def annotators(self) -> tuple[str, ...]:
        """Who labelled these pairs, in order of appearance."""
        return tuple(dict.fromkeys(name for pair in self.pairs for name in pair.labels))

    def shared_groups(self) -> tuple[SharedGroup, ...]:
        """Judge and people on the same pairs, one value a group; the people's score is their mean."""
        groups: dict[tuple[str, str], list[LabelledPair]] = {}
        for pair in self.pairs:
            groups.setdefault((pair.problem_id, pair.strategy), []).append(pair)
        return tuple(
            SharedGroup(
                problem,
                strategy,
                np.array([pair.judge for pair in members]),
                np.array([pair.label for pair in members]),
                np.array([pair.is_unasked for pair in members], dtype=np.bool_),
            )
            for (problem, strategy), members in groups.items()
        )


class _Place(NamedTuple):
    """A pair of responses of a run."""

    group: RunGroup
    first: int
    second: int


def match_labels(run: Run, labels: Labels, *, skip_unknown: bool = False) -> LabelledRun:
    """Put labels beside the scores of a run.

    Args:
        run: A judged run.
        labels: Labels of its pairs.
        skip_unknown: Leave labels of pairs that are not in the run out and count them, instead of refusing them.

    Raises:
        InputError: nothing was judged; labels are of pairs that the run does not have, or of other texts under the
            same ids, named with file and line; or no label is left.
    """
    if not run.is_judged:
        raise InputError(f"{run.path}: these are responses without a judge; name a run folder of score")
    finder = _Finder(run)
    found: dict[tuple[int, int, int], list[Label]] = {}
    places: dict[tuple[int, int, int], _Place] = {}
    unknown = []
    for label in labels.rows:
        if label.kind != PAIR:
            continue
        place = finder.find(label)
        if isinstance(place, str):
            unknown.append(f"{label.place}: {place}")
            continue
        key = (id(place.group), place.first, place.second)
        places[key] = place
        found.setdefault(key, []).append(label)
    if unknown and not skip_unknown:
        raise InputError(_refusal(unknown, run))
    if not found:
        raise InputError(f"{labels.path}: no label is of a pair of {run.path}")
    return LabelledRun(run, labels, tuple(_labelled(places[key], found[key]) for key in found), len(unknown))


def _refusal(unknown: Sequence[str], run: Run) -> str:
    named = [printable(message) for message in unknown[:_MOST_NAMED]]
    if len(unknown) > _MOST_NAMED:
        named.append(f"... and {len(unknown) - _MOST_NAMED:,} more")
    advice = "name the run whose pairs were labelled (agree leaves such labels out with --skip-unknown)"
    return "\n".join([*named, f"{len(unknown):,} label(s) are not of pairs of {run.path}: {advice}"])


def _labelled(place: _Place, labels: Sequence[Label]) -> LabelledPair:
    twice = [label for label in labels if [other.annotator for other in labels].count(label.annotator) > 1]
    if twice:
        raise InputError(f"{twice[-1].place}: labels the pair of {twice[0].place} again; keep one label a person")
    group, first, second = place
    told = labels[0]
    return LabelledPair(
        group,
        first,
        second,
        float(group.matrix.symmetric()[first, second]),
        any(j.is_duplicate and {j.pair.first, j.pair.second} == {first, second} for j in group.judgments),
        {label.annotator: label.value for label in labels},
        told.probability,
        told.group_probability,
        told.n_pairs,
        told.n_asked,
    )


class _Finder:
    """Finds the pair of a run that a label is of.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._groups = {(g.problem_id, g.strategy): g for g in run.groups if g.judgments}

    @cached_property
    def _by_text(self) -> dict[str, list[tuple[RunGroup, int]]]:
        places: dict[str, list[tuple[RunGroup, int]]] = {}
        for group in self._groups.values():
            for position, response in enumerate(group.responses):
                places.setdefault(text_digest(response.text), []).append((group, position))
        return places

    def find(self, label: Label) -> _Place | str:
        """The pair, or why there is none."""
        return self._by_ids(label, label.ids) if label.ids is not None else self._by_texts(label)

    def _by_ids(self, label: Label, ids: tuple[str, str, str, str]) -> _Place | str:
        problem, strategy, *samples = ids
        group = self._groups.get((problem, strategy))
        if group is None:
            return f"the run has no judged group {printable(problem, 60)} / {printable(strategy, 60)}"
        positions = {str(response.sample_id): at for at, response in enumerate(group.responses)}
        lacking = [sample for sample in samples if sample not in positions]
        if lacking:
            return f"{printable(problem, 60)} / {printable(strategy, 60)} has no sample {printable(lacking[0], 60)}"
        at = [positions[sample] for sample in samples]
        for position, digest in zip(at, label.texts or (), strict=False):
            if text_digest(group.responses[position].text) != digest:
                sample = printable(str(group.responses[position].sample_id), 60)
                return f"sample {sample} of {printable(problem, 60)} has another text in the run than was labelled"
        return _Place(group, min(at), max(at))

    def _by_texts(self, label: Label) -> _Place | str:
        assert label.texts is not None, "a label names its pair or shows it"
        pairs = list(self._pairs_of_texts(*label.texts))
        if not pairs:
            return "the run has no group with these two texts"
        named = [place for place in pairs if place.group.problem_id == label.name]
        return (named or pairs)[0]

    def _pairs_of_texts(self, one: str, other: str) -> Iterator[_Place]:
        others: dict[int, list[int]] = {}
        for group, position in self._by_text.get(other, ()):
            others.setdefault(id(group), []).append(position)
        for group, position in self._by_text.get(one, ()):
            for partner in others.get(id(group), ()):
                if partner != position:
                    yield _Place(group, min(position, partner), max(position, partner))
