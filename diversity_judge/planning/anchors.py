"""Pairs that are asked again and again, so that a host which serves another model under the same name is seen.

An asking of all anchors is a moment, numbered from 0. The number is part of each key, as a draw far above those of any
run: so each moment is bought anew, what earlier moments brought is found in the ledger by counting, and none of it is
ever taken for a score of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diversity_judge.inputs.responses import Group, Response
from diversity_judge.inputs.views import ShownText
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.pairs import Pair, PairDesign

FIRST_DRAW = 1_000_000
"""Of a moment's keys; no run draws a pair so often."""
STRATEGY = "anchors"


@dataclass(frozen=True)
class Anchor:
    """A pair of a fixed set.

    Attributes:
        name: It is told apart by.
        first: What the judge reads first.
        second: What it reads second.
        problem: The problem's text; None where it is not known.
        score: What the judge gave when the set was made; None where it did not.
    """

    name: str
    first: str
    second: str
    problem: str | None = None
    score: float | None = None


@dataclass(frozen=True, repr=False)
class AnchorPlan(GroupPlan):
    """One anchor at one moment, asked even where the texts are the same."""

    moment: int = 0

    def key(self, pair: Pair, fingerprint: str) -> str:
        """The key of this moment's asking."""
        return GroupPlan.key(self, self._of_the_moment(pair), fingerprint)

    def keys(self, fingerprint: str, pairs: Iterable[Pair] | None = None) -> list[str | None]:
        """The keys of this moment's asking."""
        wanted = self.pairs if pairs is None else pairs
        return GroupPlan.keys(self, fingerprint, [self._of_the_moment(pair) for pair in wanted])

    def _of_the_moment(self, pair: Pair) -> Pair:
        return pair._replace(draw=FIRST_DRAW + self.moment)


def plan_anchors(anchors: Sequence[Anchor], moment: int) -> list[AnchorPlan]:
    """What is asked at a moment, one plan an anchor."""
    pairs = PairDesign().plan(2)
    return [
        AnchorPlan(
            _group(anchor),
            anchor.name,
            (ShownText(anchor.first), ShownText(anchor.second)),
            pairs,
            skip_duplicates=False,
            moment=moment,
        )
        for anchor in anchors
    ]


def _group(anchor: Anchor) -> Group:
    responses = tuple(
        Response(anchor.name, text, STRATEGY, at, anchor.problem)
        for at, text in enumerate((anchor.first, anchor.second))
    )
    return Group(anchor.name, STRATEGY, responses, anchor.problem)
