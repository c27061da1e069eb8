"""Process diversity of a group: the one estimate that `score` writes and `compare` compares.

Which estimator a run was made with is a part of its manifest. Another one (a surrogate as a control variate, say) is a
function of the same form in `ESTIMATORS`, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from diversity_judge.measures.intervals import Estimate, group_estimate
from diversity_judge.measures.matrix import SimilarityMatrix

MEAN_OF_SCORED_PAIRS = "mean-of-scored-pairs"
"""1 - mean / 5 over the pairs that have a score (Chen et al. 2026, arXiv 2602.02443, section 3.3)."""

ESTIMATORS: Mapping[str, Callable[[SimilarityMatrix], Estimate]] = {MEAN_OF_SCORED_PAIRS: group_estimate}
"""By the name that stands in `run.json`."""


def estimate(matrix: SimilarityMatrix, estimator: str = MEAN_OF_SCORED_PAIRS) -> Estimate:
    """Diversity of a group 0..1, with its 95 % interval over responses.

    Args:
        matrix: (n, n) scores by orientation.
        estimator: One of `ESTIMATORS`.

    Raises:
        ValueError: there is no such estimator.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"no estimator {estimator!r}; there are {', '.join(ESTIMATORS)}")
    return ESTIMATORS[estimator](matrix)
