"""What two runs have in common: the same pairs of the same responses, each with a score of either judge.

Only then is a difference between scores one between judges. So responses that differ are refused; groups that one of
the runs lacks are named and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from diversity_judge.errors import InputError
from diversity_judge.measures.agreement import SharedGroup
from diversity_judge.planning.groups import name_some
from diversity_judge.runs.instrument import SEEN, WHO, differences
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.runs.same_responses import refuse_other_responses


@dataclass(frozen=True)
class Match:
    """What two runs have in common.

    Attributes:
        groups: Groups that both runs judged.
        notes: What was left out, and what else makes the two differ; one sentence each.
    """

    groups: tuple[SharedGroup, ...]
    notes: tuple[str, ...]


def match_runs(tested: Run, reference: Run) -> Match:
    """Put the scores of two runs side by side.

    Raises:
        InputError: one of them was never judged; they have no judged group or no scored pair in common; or the
            responses of a group differ.
    """
    for run in (tested, reference):
        if not run.is_judged:
            raise InputError(f"{run.path}: these are responses without a judge; name a run folder of score")
    ours, theirs = _judged(tested), _judged(reference)
    common = [key for key in ours if key in theirs]
    if not common:
        raise InputError(
            f"{tested.path} and {reference.path} have no judged group (problem and strategy) in common: "
            "score the same responses with both judges"
        )
    for key in common:
        refuse_other_responses(ours[key], theirs[key], tested, reference)
    groups = tuple(_shared(ours[key], theirs[key]) for key in common)
    if not any(group.both.any() for group in groups):
        raise InputError(f"{tested.path} and {reference.path} have no pair in common that both judges have scored")
    alone = ((tested, [k for k in ours if k not in theirs]), (reference, [k for k in theirs if k not in ours]))
    return Match(groups, (*_left_out_notes(alone), *_other_notes(groups, tested, reference)))


def _judged(run: Run) -> dict[tuple[str, str], RunGroup]:
    return {(group.problem_id, group.strategy): group for group in run.groups if group.judgments}


def _shared(ours: RunGroup, theirs: RunGroup) -> SharedGroup:
    """The pairs that both runs wanted; what one of the designs leaves out is no missing score."""
    mine, others = ours.matrix, theirs.matrix
    pairs = np.nonzero(np.triu((mine.wanted | mine.wanted.T) & (others.wanted | others.wanted.T), 1))
    unasked = np.zeros_like(mine.wanted)
    for judgment in ours.judgments:
        unasked[judgment.pair.first, judgment.pair.second] = judgment.is_duplicate
    return SharedGroup(
        ours.problem_id,
        ours.strategy,
        mine.symmetric()[pairs],
        others.symmetric()[pairs],
        (unasked | unasked.T)[pairs],
    )


def _left_out_notes(alone: Sequence[tuple[Run, Sequence[tuple[str, str]]]]) -> Iterator[str]:
    for run, keys in alone:
        if keys:
            names = name_some([f"{problem} / {strategy}" for problem, strategy in keys])
            yield f"{len(keys)} group(s) are judged in {run.path} only and left out: {names}"


def _other_notes(groups: Sequence[SharedGroup], tested: Run, reference: Run) -> Iterator[str]:
    n_left_out = sum(int((~group.both).sum()) for group in groups)
    if n_left_out:
        yield f"{n_left_out:,} pair(s) without a score of one judge or of both are left out"
    n_uneven = sum(int((group.tested % 1 > 0).sum()) for group in groups)
    n_uneven += sum(int((group.reference % 1 > 0).sum()) for group in groups)
    if n_uneven:
        yield (
            f"{n_uneven:,} score(s) are means of several judgments and not whole: the statistics take them as they "
            "are, the confusion counts leave their pairs out"
        )
    for change in differences(tested.instrument, reference.instrument):
        if change.word in SEEN:
            yield f"the judges saw different parts of the responses: {change.word} {change.one} and {change.other}"
        elif change.word not in WHO:
            yield f"the scores were not taken alike: {change.word} {change.one} and {change.other}"
