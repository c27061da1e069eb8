"""What came back of a label sheet, as rows of the label file and as sentences about who answered how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diversity_judge.display import block, counted, html_block, short
from diversity_judge.files import Row
from diversity_judge.labelling.checking import Answer
from diversity_judge.labelling.key import Key
from diversity_judge.runs.labels import IDENTICAL, PAIR, UNRELATED
from diversity_judge.text_safety import printable
from diversity_judge.wording import number

LOWEST_OF_IDENTICAL = 4
HIGHEST_OF_UNRELATED = 1
"""What a person who reads the pages gives to one text beside itself, and to responses to two problems: a point of
slack each, as the rubric's neighbours of 5 and 0 are matters of taste."""
COLUMNS = (
    "problem_id", "strategy", "first", "second", "first_position", "second_position", "first_sha256", "second_sha256",
)  # fmt: skip
_CHANCES = ("probability", "group_probability", "n_pairs", "n_asked")
_SHOWN_COLUMNS = ("annotator", "pairs", "mean", "identical texts", "other problems")


@dataclass(frozen=True)
class Annotator:
    """How one person answered.

    Attributes:
        name: Who.
        n_pairs: Pairs of the run that were labelled.
        mean: Mean score of these; NaN without one.
        identical: Mean score of one text beside itself; NaN without one.
        unrelated: Mean score of responses to two problems; NaN without one.
        odd: Controls that were not answered as they should be: item and score.
    """

    name: str
    n_pairs: int
    mean: float
    identical: float
    unrelated: float
    odd: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False, repr=False)
class LabelsRead:
    """Labels of one or several people.

    Attributes:
        key: Of the sheet.
        answers: All answers, in the order in which they were read.
        people: How each person answered.
        path: Where the labels were written; None where they were not.
    """

    key: Key
    answers: tuple[Answer, ...]
    people: tuple[Annotator, ...]
    path: Path | None = None

    @property
    def share_labelled(self) -> float:
        """Share of the sheet's pairs that somebody labelled."""
        pairs = {name for name, item in self.key.items.items() if item.kind == PAIR}
        return len(pairs & {answer.item for answer in self.answers}) / len(pairs) if pairs else float("nan")

    def rows(self) -> Iterator[Row]:
        """The label file: one row an answer. Of a sheet that is not filled to the end, a pair's chance is less."""
        for answer in self.answers:
            columns = self.key.items[answer.item].columns
            chance, group_chance, *counts = (columns.get(name) for name in _CHANCES)
            yield {
                "sheet": self.key.sheet,
                "item": answer.item,
                "kind": columns["kind"],
                "annotator": answer.annotator,
                **{name: columns[name] for name in COLUMNS},
                "score": answer.score,
                "probability": None if chance is None else chance * self.share_labelled,
                "group_probability": None if group_chance is None else group_chance * self.share_labelled,
                **dict(zip(_CHANCES[2:], counts, strict=True)),
            }

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be kept in mind; one sentence each."""
        return tuple(printable(note) for note in self._notes())

    def _notes(self) -> Iterator[str]:
        for person in self.people:
            if person.odd:
                said = ", ".join(f"{score} to item {item}" for item, score in person.odd)
                yield (
                    f"{person.name} did not answer {counted(len(person.odd), 'control')} as expected (identical texts "
                    f"{LOWEST_OF_IDENTICAL} or more, responses to two problems {HIGHEST_OF_UNRELATED} or less): {said}"
                )
        if self.share_labelled < 1:
            yield (
                f"{self.share_labelled:.0%} of the sheet's pairs are labelled: the chances in the file are those of "
                "the sheet times this share, which holds where pages were left out by their place, not their texts"
            )

    def __repr__(self) -> str:
        return self._shown(block)

    def _repr_html_(self) -> str:
        return self._shown(html_block)

    def _shown(self, how: Callable[[str, Sequence[str], Sequence[Sequence[str]], Iterable[str]], str]) -> str:
        title = f"LabelsRead: {counted(len(self.answers), 'answer')} of {counted(len(self.people), 'person', 'people')}"
        return how(title, _SHOWN_COLUMNS, [cells(person) for person in self.people], self.notes)


def cells(person: Annotator) -> tuple[str, ...]:
    """A person's figures as text: name, pairs, mean, mean of identical texts, mean of other problems."""
    means = (person.mean, person.identical, person.unrelated)
    return short(person.name), str(person.n_pairs), *(number(mean, 2, missing="") for mean in means)


def labels_result(key: Key, answers: Sequence[Answer], path: Path | None) -> LabelsRead:
    """Put together what came back."""
    people = [_annotator(key, name, answers) for name in dict.fromkeys(answer.annotator for answer in answers)]
    return LabelsRead(key, tuple(answers), tuple(people), path)


def _annotator(key: Key, name: str, answers: Sequence[Answer]) -> Annotator:
    mine = [answer for answer in answers if answer.annotator == name]
    scores = {kind: [a.score for a in mine if key.items[a.item].kind == kind] for kind in (PAIR, IDENTICAL, UNRELATED)}
    odd = [
        (a.item, a.score)
        for a in mine
        if (key.items[a.item].kind == IDENTICAL and a.score < LOWEST_OF_IDENTICAL)
        or (key.items[a.item].kind == UNRELATED and a.score > HIGHEST_OF_UNRELATED)
    ]
    pair, identical, unrelated = (float(np.mean(found)) if found else float("nan") for found in scores.values())
    return Annotator(name, len(scores[PAIR]), pair, identical, unrelated, tuple(odd))
