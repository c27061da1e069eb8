"""A pair's chance to be labelled: what the draw does over all its starts is what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from diversity_judge.measures.label_sample import drawn_counts, expected_labels


@pytest.mark.parametrize(
    ("n_pairs", "quota", "expected"),
    [
        ([10, 10, 10], 6, [2, 2, 2]),
        ([10, 10, 10, 10], 6, [1.5, 1.5, 1.5, 1.5]),
        ([1, 10, 10], 7, [1, 3, 3]),
        ([10, 1, 2], 9, [6, 1, 2]),
        ([3, 2], 100, [3, 2]),
        ([5], 0, [0]),
    ],
)
def test_groups_get_equal_shares_and_no_more_than_they_have(
    n_pairs: list[int], quota: int, expected: list[float]
) -> None:
    np.testing.assert_allclose(expected_labels(n_pairs, quota), expected, atol=1e-12)


def test_counts_are_rounded_shares_that_sum_to_the_quota_and_average_to_the_share() -> None:
    expected = expected_labels([40, 1, 7, 496, 496, 3, 2], 31)
    # On a grid of 10,000 starts the mean of floor(end + start) is exact to one in 10,000.
    counts = np.array([drawn_counts(expected, (k + 0.5) / 10_000) for k in range(10_000)])
    assert set(counts.sum(axis=1)) == {31}
    assert (np.abs(counts - expected) < 1 + 1e-9).all()
    np.testing.assert_allclose(counts.mean(axis=0), expected, atol=2e-4)
