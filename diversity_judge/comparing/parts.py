"""Parts of a group's responses that are looked at by themselves: those that were not cut, the correct, the wrong.

A response that was cut is as different from the others as its missing half makes it, and wrong responses differ in more
ways than right ones. So what all responses say stands beside what a part of them says, never instead, and the counts
of the part stand beside it (`counts.csv`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from diversity_judge.inputs.responses import Response
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.selected import SelectedDiversity, diversity_between, diversity_within
from diversity_judge.rubric import broken_off
from diversity_judge.runs.loading import RunGroup


@dataclass(frozen=True)
class Part:
    """A part of the responses.

    Attributes:
        metric: Its diversity, as the tables name it.
        label: The responses, for people.
        needs: What would give it a value.
    """

    metric: str
    label: str
    needs: str


COMPLETE = Part("diversity_complete", "not cut", "two responses that were not cut")
CORRECT = Part("diversity_correct", "correct", "two correct responses")
WRONG = Part("diversity_wrong", "wrong", "two wrong responses")
ACROSS = Part("diversity_across", "one correct, one wrong", "a correct and a wrong response")
PARTS = (CORRECT, WRONG, ACROSS, COMPLETE)


def is_cut(response: Response) -> bool:
    """Whether a response did not come to its end, by its host's word."""
    return broken_off(response.finish_reason) is not None


def judged_part(member: RunGroup, *, complete_only: bool) -> RunGroup:
    """The group, or what is left of it without the responses that were cut and their pairs."""
    kept = [position for position, response in enumerate(member.responses) if not is_cut(response)]
    if not complete_only or len(kept) == len(member.responses):
        return member
    places = {position: place for place, position in enumerate(kept)}
    responses = tuple(member.responses[position] for position in kept)
    judgments = tuple(
        judgment._replace(pair=judgment.pair._replace(first=places[first], second=places[second]))
        for judgment in member.judgments
        if (first := judgment.pair.first) in places and (second := judgment.pair.second) in places
    )
    kept_of = np.isin(np.arange(len(member.responses)), kept)
    return replace(
        member,
        group=replace(member.group, responses=responses),
        judgments=judgments,
        surrogate=None if member.surrogate is None else member.surrogate.part(kept_of),
        approaches=_kept(member.approaches, kept),
        references=_kept(member.references, kept),
    )


def _kept(labels: tuple[int, ...] | None, kept: Sequence[int]) -> tuple[int, ...] | None:
    return None if labels is None else tuple(labels[position] for position in kept)


def part_diversities(matrix: SimilarityMatrix, responses: Sequence[Response]) -> dict[str, SelectedDiversity]:
    """Diversity of each part that the responses have: by grade where any is graded, of those not cut where one is."""
    found: dict[str, SelectedDiversity] = {}
    if any(response.correct is not None for response in responses):
        right = np.array([response.correct is not None and bool(response.correct) for response in responses])
        wrong = np.array([response.correct is not None and not response.correct for response in responses])
        found[CORRECT.metric] = diversity_within(matrix, right)
        found[WRONG.metric] = diversity_within(matrix, wrong)
        found[ACROSS.metric] = diversity_between(matrix, right, wrong)
    cut = np.array([is_cut(response) for response in responses], dtype=np.bool_)
    if any(response.finish_reason is not None for response in responses):
        found[COMPLETE.metric] = diversity_within(matrix, ~cut)
    return found
