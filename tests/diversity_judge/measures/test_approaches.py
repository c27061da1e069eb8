"""Approaches and other routes on matrices that can be worked by hand, and against a plain search."""

import math
from typing import Any

import numpy as np
import pytest

from diversity_judge.measures.approaches import approach_labels, count_approaches, other_route

Array = np.ndarray[Any, Any]
NAN = math.nan


def symmetric(*upper: float) -> Array:
    """(n, n) similarity from the upper triangle, row by row."""
    n = round((1 + math.sqrt(1 + 8 * len(upper))) / 2)
    matrix = np.full((n, n), 5.0)
    rows, columns = np.triu_indices(n, 1)
    matrix[rows, columns] = matrix[columns, rows] = upper
    return matrix


def flood_fill(joined: Array) -> int:
    """Number of connected components by plain search."""
    unseen, count = set(range(len(joined))), 0
    while unseen:
        count += 1
        frontier = {unseen.pop()}
        while frontier:
            near = {j for i in frontier for j in unseen if joined[i, j]}
            unseen -= near
            frontier = near
    return count


def test_a_chain_of_similar_pairs_is_one_approach() -> None:
    chain = symmetric(4, 0, 4)
    assert count_approaches(chain).value == 1
    assert count_approaches(chain, threshold=5).value == 3


def test_labels_follow_the_order_of_first_appearance() -> None:
    similarity = np.full((5, 5), 1.0)
    similarity[[0, 3], [3, 0]] = similarity[[1, 4], [4, 1]] = 4.5
    np.fill_diagonal(similarity, 5)
    assert approach_labels(similarity).tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("threshold", [3, 4, 5])
def test_number_of_approaches_agrees_with_plain_search(seed: int, threshold: float) -> None:
    scores = np.random.default_rng(seed).choice([1.0, 3, 4, 5], 45, p=[0.85, 0.05, 0.05, 0.05])
    similarity = symmetric(*scores)
    assert count_approaches(similarity, threshold=threshold).value == flood_fill(similarity >= threshold)


def test_a_missing_pair_that_could_join_leaves_the_number_open() -> None:
    count = count_approaches(symmetric(5, NAN, 0))
    assert (count.low, count.high) == (1, 2)
    assert math.isnan(count.value)


def test_a_missing_pair_that_changes_nothing_leaves_the_number_known() -> None:
    assert count_approaches(symmetric(5, 5, NAN)).value == 1


@pytest.mark.parametrize("n", [0, 1])
def test_groups_without_pairs(n: int) -> None:
    assert count_approaches(np.full((n, n), 5.0)).value == n
    assert approach_labels(np.full((n, n), 5.0)).tolist() == [0] * n


def test_other_route_counts_pairs_with_one_answer_and_low_similarity() -> None:
    route = other_route(symmetric(2, 1, 3), ["7", " 7", "8"])
    assert (route.n_pairs, route.n_same_answer, route.n_other_route) == (3, 1, 1)
    assert route.share == pytest.approx(1 / 3)
    assert route.share_of_same_answer == 1


def test_other_route_leaves_out_missing_pairs_and_answers() -> None:
    route = other_route(symmetric(NAN, 1, 1, 1, 1, 0), ["7", "7", "7", None])
    assert (route.n_pairs, route.n_same_answer, route.n_other_route) == (2, 2, 2)


def test_other_route_limit_is_inclusive_and_free() -> None:
    similarity = symmetric(2.5)
    assert other_route(similarity, ["a", "a"]).share == 0
    assert other_route(similarity, ["a", "a"], limit=2.5).share == 1


def test_no_answers_give_no_share() -> None:
    route = other_route(symmetric(2), [None, None])
    assert math.isnan(route.share)
    assert math.isnan(route.share_of_same_answer)


def test_answers_of_another_group_are_refused() -> None:
    with pytest.raises(ValueError, match="3 answers for 2"):
        other_route(symmetric(2), ["a", "b", "c"])
