"""Counts, coverage and agreement of sorted responses, against enumeration of all subsets and against scikit-learn."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from diversity_judge.measures.sortings import (
    adjusted_rand_index,
    clusters_agreement,
    expected_classes,
    expected_coverage,
)

LABELS = st.lists(st.integers(1, 4), min_size=1, max_size=8)


@given(LABELS, st.integers(1, 8))
def test_the_expected_number_of_approaches_is_the_mean_over_all_subsets(labels: list[int], size: int) -> None:
    subsets = list(combinations(labels, min(size, len(labels))))
    assert expected_classes(labels, size) == pytest.approx(np.mean([len(set(subset)) for subset in subsets]))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.integers(1, 8))
def test_the_expected_coverage_is_the_mean_over_all_subsets(labels: list[int], size: int) -> None:
    subsets = list(combinations(labels, min(size, len(labels))))
    covered = [len(set(subset) - {0}) / 4 for subset in subsets]
    assert expected_coverage(labels, 4, size) == pytest.approx(np.mean(covered))


def test_all_responses_give_the_plain_counts() -> None:
    assert expected_classes([1, 1, 2, 3], 4) == 3
    assert expected_coverage([1, 1, 0, 3], 4, 4) == 0.5


@pytest.mark.parametrize(("labels", "size"), [([], 1), ([1], 0)])
def test_a_subset_of_nothing_is_refused(labels: list[int], size: int) -> None:
    with pytest.raises(ValueError):
        expected_classes(labels, size)
    with pytest.raises(ValueError):
        expected_coverage(labels, 1, size)
    with pytest.raises(ValueError):
        expected_coverage([1], 0, 1)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=12))
def test_the_agreement_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    assert adjusted_rand_index(one, other) == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)


def test_the_agreement_is_zero_on_average_over_all_ways_to_hand_out_the_labels() -> None:
    """Hubert and Arabie's index is 0 in expectation where the sizes are given and chance deals the members."""
    one = (1, 1, 2, 2, 3)
    dealt = [labels for labels in product((1, 2), repeat=5) if labels.count(1) == 2]
    assert np.mean([adjusted_rand_index(one, labels) for labels in dealt]) == pytest.approx(0.0, abs=1e-12)


def test_sortings_of_other_responses_are_refused() -> None:
    with pytest.raises(ValueError):
        adjusted_rand_index([1, 2], [1])


def test_clusters_that_missing_pairs_could_change_agree_with_nothing() -> None:
    similarity = np.array([[5, 5, 0], [5, 5, np.nan], [0, np.nan, 5]], dtype=float)
    assert np.isnan(clusters_agreement([1, 1, 2], similarity, threshold=4))
    similarity[1, 2] = similarity[2, 1] = 1
    assert clusters_agreement([1, 1, 2], similarity, threshold=4) == 1
