"""Anchors from a probed run: some of the drawn pairs, as the judge saw and scored them, and the judge's own noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diversity_judge.measures.probes.retest import within
from diversity_judge.planning.anchors import Anchor
from diversity_judge.probing import names
from diversity_judge.probing.result import Reliability
from diversity_judge.runs.anchors import AnchorSet, chosen_evenly

N_ANCHORS = 20
"""A shift of half a point is seen at the usual noise of half a point, and two askings cost 40 calls."""


def anchor_set(found: Reliability, path: Path) -> AnchorSet:
    """Some of the drawn pairs, spread evenly over their scores; the noise where the retest probe measured it."""
    anchors = []
    for number, drawn in enumerate(found.drawn):
        plan = found.source.plans[drawn.group]
        first, second = (plan.shown[position].text for position in (drawn.pair.first, drawn.pair.second))
        anchors.append(Anchor(f"anchor-{number}", first, second, plan.group.problem, float(drawn.score)))
    sd, degrees = _noise(found)
    return AnchorSet(path, chosen_evenly(anchors, N_ANCHORS), found.source.run.instrument, sd, degrees)


def _noise(found: Reliability) -> tuple[float | None, int]:
    for answers in found.answers:
        if answers.request.probe == names.RETEST and answers.request.draws > 1:
            squares, degrees = within(answers.scores)
            if degrees.sum():
                return float(np.sqrt(squares.sum() / degrees.sum())), int(degrees.sum())
    return None, 0
