"""All pairs of a group in the orientation in which more of them are bought already.

All pairs are oriented by the positions in the file, a thinned design by the random order over which it lays the
responses, so about half of a thinned design's pairs stand the other way round in the full one. Both orientations are
balanced, each response as often first as second. Whoever has bought a thinned design and goes on to all pairs keeps its
orientation, and buys no pair twice; whoever has not gets the order of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diversity_judge.choices import MOST_PAIRS
from diversity_judge.judges.base import Judge
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.lots import drawn_order
from diversity_judge.planning.pairs import PairDesign


def as_bought(plans: Sequence[GroupPlan], design: PairDesign, judge: Judge, ledger: Ledger | None) -> list[GroupPlan]:
    """The plans of a run, those of all pairs in the orientation that more judgments in the ledger have.

    Of groups with more than `MOST_PAIRS` pairs the orientation is that of the file, whatever was bought.

    Args:
        plans: Of the groups, all pairs oriented by positions.
        design: By which they were made; with both orders there is nothing to choose.
        judge: Whose judgments are looked for.
        ledger: Where; None: nothing is bought.
    """
    if ledger is None or design.orders == "both" or not ledger.last_id():
        return list(plans)
    stored = ledger.key_heads()
    return [_as_bought(plan, design, judge.fingerprint(plan), stored) for plan in plans]


def _as_bought(plan: GroupPlan, design: PairDesign, fingerprint: str, stored: NDArray[np.uint64]) -> GroupPlan:
    if design.is_thinned(plan.group.n_responses) or len(plan.pairs) > MOST_PAIRS * design.draws:
        return plan
    here = _n_bought(plan, fingerprint, stored)
    if here == len(plan.pairs):
        return plan
    laid = replace(plan, pairs=design.plan_all_laid(plan.group.n_responses, drawn_order(plan.group, design.seed)))
    return laid if _n_bought(laid, fingerprint, stored) > here else plan


def _n_bought(plan: GroupPlan, fingerprint: str, stored: NDArray[np.uint64]) -> int:
    return sum(int(is_among(plan.key_heads(fingerprint, first), stored).sum()) for first in range(plan.pairs.n))


def is_among(values: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(values,) which of them are among known values, which are sorted."""
    if len(known) == 0:
        return np.zeros(len(values), dtype=np.bool_)
    places = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.asarray(known[places] == values, dtype=np.bool_)
