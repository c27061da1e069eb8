"""Which runs may form a panel, and the scores of their judges side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from diversity_judge.display import counted
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Group
from diversity_judge.measures.diversity import MEAN_OF_SCORED_PAIRS
from diversity_judge.planning.groups import name_some
from diversity_judge.runs.instrument import WHO, differences
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.runs.same_responses import refuse_other_responses
from diversity_judge.text_safety import printable

_NOT_A_DIFFERENCE = "judging of duplicates"
"""The exact judge looks at identical texts itself; what it says of them is comparable with the 5 that others give."""


@dataclass(frozen=True, eq=False)
class PanelGroup:
    """One problem under one strategy, as all judges scored it.

    Attributes:
        group: The responses.
        pairs: (M, 2) positions, the lower first, of the pairs that all runs wanted.
        scores: (M, J) of each judge, the mean of its judgments of a pair; NaN where it has none.
        is_unasked: (M,) identical texts to which every run gave 5 without asking.
    """

    group: Group
    pairs: NDArray[np.intp]
    scores: NDArray[np.float64]
    is_unasked: NDArray[np.bool_]


def check_members(runs: Sequence[Run]) -> None:
    """Refuse runs that are no panel.

    Raises:
        InputError: there are fewer than two, one was never judged, two are of one instrument, or they saw or counted
            the responses differently.
    """
    if len(runs) < 2:
        raise InputError("a panel needs two runs or more, of different judges over the same responses")
    for run in runs:
        if not run.is_judged:
            raise InputError(f"{run.path}: these are responses without a judge; name a run folder of score")
        estimator = (run.manifest.get("estimator") or {}).get("name", MEAN_OF_SCORED_PAIRS)
        if estimator != MEAN_OF_SCORED_PAIRS:
            raise InputError(
                f"{run.path}: its diversity is estimated by {estimator!r} and is no mean of its pairs' scores, so that "
                "a mean of judges is not either; score it without that"
            )
    for one, other in combinations(runs, 2):
        found = differences(one.instrument, other.instrument)
        if not found:
            raise InputError(
                f"{one.path} and {other.path} are of one instrument: to see how a judge agrees with itself use --draws "
                "or python -m diversity_judge.reliability"
            )
        unlike = [change for change in found if change.word not in (*WHO, _NOT_A_DIFFERENCE)]
        if unlike:
            said = "; ".join(f"{change.word} {change.one} and {change.other}" for change in unlike)
            raise InputError(
                f"{one.path} and {other.path} were not taken alike: {said}; score the responses alike with all judges"
            )


def panel_groups(runs: Sequence[Run]) -> tuple[tuple[PanelGroup, ...], tuple[str, ...]]:
    """The groups that all runs judged, with all judges' scores, and what was left out, one sentence each.

    Raises:
        InputError: there is none, or the responses of one differ.
    """
    judged = [{(g.problem_id, g.strategy): g for g in run.groups if g.judgments} for run in runs]
    common = [key for key in judged[0] if all(key in other for other in judged[1:])]
    if not common:
        raise InputError(
            "these runs have no judged group (problem and strategy) in common: score the same responses with all judges"
        )
    for key in common:
        for run, groups in zip(runs[1:], judged[1:], strict=True):
            refuse_other_responses(judged[0][key], groups[key], runs[0], run)
    found = [_together([groups[key] for groups in judged]) for key in common]
    notes = [*_left_out(runs, judged, common), *_fewer_pairs(found, [[groups[k] for groups in judged] for k in common])]
    kept = tuple(group for group in found if len(group.pairs))
    if not kept:
        raise InputError(
            "these runs have no pair in common that all of them wanted: score the same pairs with all judges"
        )
    return kept, tuple(printable(note) for note in notes)


def _together(members: Sequence[RunGroup]) -> PanelGroup:
    wanted = [member.matrix.wanted | member.matrix.wanted.T for member in members]
    pairs = np.argwhere(np.triu(np.logical_and.reduce(wanted), 1))
    at = (pairs[:, 0], pairs[:, 1])
    return PanelGroup(
        members[0].group,
        pairs,
        np.column_stack([member.matrix.symmetric()[at] for member in members]),
        np.logical_and.reduce([_unasked(member)[at] for member in members]),
    )


def _unasked(member: RunGroup) -> NDArray[np.bool_]:
    found = np.zeros_like(member.matrix.wanted)
    for judgment in member.judgments:
        found[judgment.pair.first, judgment.pair.second] = judgment.is_duplicate
    return found | found.T


def _left_out(
    runs: Sequence[Run], judged: Sequence[dict[tuple[str, str], RunGroup]], common: Sequence[tuple[str, str]]
) -> Iterator[str]:
    for run, groups in zip(runs, judged, strict=True):
        alone = [key for key in groups if key not in common]
        if alone:
            names = name_some([f"{problem} / {strategy}" for problem, strategy in alone])
            yield f"{counted(len(alone), 'group')} of {run.path} not judged in all runs, left out: {names}"


def _fewer_pairs(found: Sequence[PanelGroup], members: Sequence[Sequence[RunGroup]]) -> Iterator[str]:
    lost = sum(
        max(each.matrix.n_pairs for each in of_group) - len(group.pairs)
        for group, of_group in zip(found, members, strict=True)
    )
    if lost:
        yield f"{counted(lost, 'pair')} that not all runs wanted, left out"
