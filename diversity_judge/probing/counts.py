"""What the figures and the page count: scores of controls, draws that differ, differences between orders."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.probes.retest import flips
from diversity_judge.probing import names
from diversity_judge.probing.result import Reliability
from diversity_judge.probing.samples import first_is_longer, sample_of
from diversity_judge.rubric import MAX_SCORE, SCORES

LARGEST = MAX_SCORE
"""Difference of two scores."""


def control_counts(found: Reliability) -> Mapping[str, NDArray[np.int64]]:
    """Control to (6,) how often each score was given; controls without any score are left out."""
    counts = {}
    for answers in found.answers:
        if answers.request.probe in names.CONTROLS and answers.has_scores:
            scores = answers.scores[~np.isnan(answers.scores)].astype(np.int64)
            counts[answers.request.probe] = np.bincount(scores, minlength=len(SCORES))
    return counts


def run_counts(found: Reliability) -> NDArray[np.int64]:
    """(6,) how often the run gave each score to the drawn pairs."""
    return np.bincount([one.score for one in found.drawn], minlength=len(SCORES)).astype(np.int64)


def retest_flips(found: Reliability) -> NDArray[np.int64] | None:
    """(6, 6) how often a draw has the row's score and a later one the column's; None where it was not asked."""
    for answers in found.answers:
        if answers.request.probe == names.RETEST:
            counts = flips(sample_of(answers))
            return counts if counts.any() else None
    return None


def order_counts(found: Reliability) -> NDArray[np.int64] | None:
    """(11,) pairs whose score with the longer text first minus that with it second is -5..5; None where not asked."""
    for answers in found.answers:
        if answers.request.probe == names.ORDER and answers.has_scores:
            sign = np.where(first_is_longer(found.source, found.drawn), 1, -1)
            as_run = np.array([one.score for one in found.drawn], dtype=np.float64)
            differences = (as_run - answers.scores[:, 0]) * sign
            whole = differences[~np.isnan(differences)].astype(np.int64) + LARGEST
            return np.bincount(whole, minlength=2 * LARGEST + 1)
    return None
