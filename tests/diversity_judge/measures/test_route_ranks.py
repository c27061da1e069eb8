"""Row by row against scipy's Spearman correlation and a count."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from diversity_judge.measures.route_ranks import beaten_shares, rank_correlations


def test_the_share_that_is_beaten_counts_ties_as_half() -> None:
    assert beaten_shares(np.array([2.0, 0.0]), np.array([[1.0, 2.0, 3.0, 1.0], [1.0, 1.0, 1.0, 1.0]])) == pytest.approx(
        np.array([0.625, 0.0])
    )


def test_correlations_are_spearmans_with_ties() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 5, (20, 9)).astype(float), rng.normal(size=(20, 9))
    expected = [spearmanr(a, b).statistic for a, b in zip(left, right, strict=True)]
    assert rank_correlations(left, right) == pytest.approx(np.array(expected))


def test_a_constant_row_has_no_correlation() -> None:
    assert np.isnan(rank_correlations(np.ones((1, 4)), np.arange(4.0)[None])).all()
