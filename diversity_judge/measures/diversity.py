"""Process diversity of a group: the one estimate that `score` writes and `compare` compares.

Which estimator a run was made with is a part of its manifest.
"""

from __future__ import annotations

from diversity_judge.measures.intervals import Estimate, group_estimate
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.surrogate import METHOD, Surrogate, difference_estimate

MEAN_OF_SCORED_PAIRS = "mean-of-scored-pairs"
"""1 - mean / 5 over the pairs that have a score (Chen et al. 2026, arXiv 2602.02443, section 3.3)."""
DIFFERENCE = "difference"
"""The same where all pairs have a score; else sharpened by a surrogate (PPI++; see `surrogate`)."""
ESTIMATORS = (MEAN_OF_SCORED_PAIRS, DIFFERENCE)
"""The names that stand in `run.json`."""


def estimate(matrix: SimilarityMatrix, surrogate: Surrogate | None = None) -> Estimate:
    """Diversity of a group 0..1, with its 95 % interval over responses.

    Args:
        matrix: (n, n) scores by orientation.
        surrogate: A cheap score of all pairs of the same responses; None: the scored pairs alone are looked at.

    Raises:
        ValueError: the surrogate is of another number of responses.
    """
    return group_estimate(matrix) if surrogate is None else difference_estimate(matrix, surrogate)


def estimator_of(found: Estimate) -> str:
    """By which of the two a group's estimate was made: a surrogate that adds nothing leaves the mean as it is."""
    return DIFFERENCE if found.method == METHOD else MEAN_OF_SCORED_PAIRS
