"""The similarity matrix against the known numbers of the method and hand-worked cases."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.measures.matrix import SimilarityMatrix, vendi_score

Array = np.ndarray[Any, Any]
NAN = math.nan
KERNEL = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])


def one_order(scores: Array) -> SimilarityMatrix:
    """Matrix of one judgment an unordered pair, in the upper triangle."""
    wanted = np.triu(np.ones(scores.shape, dtype=bool), 1)
    return SimilarityMatrix(np.where(wanted, scores, NAN), wanted)


def both_orders(scores: Array) -> SimilarityMatrix:
    wanted = ~np.eye(len(scores), dtype=bool)
    return SimilarityMatrix(np.where(wanted, scores, NAN), wanted)


@pytest.mark.parametrize(
    ("points", "published"), [(1992, 0.1968), (1836, 0.2597), (1680, 0.3226)], ids=["0.20", "0.26", "0.32"]
)
def test_published_scores_are_whole_points_over_496_pairs(points: int, published: float) -> None:
    """Chen et al. 2026, appendix C.3: 32 responses, 496 unordered pairs, at most 2480 points."""
    upper = np.triu_indices(32, 1)
    cells = np.full(496, points // 496)
    cells[: points % 496] += 1
    scores = np.zeros((32, 32))
    scores[upper] = cells
    matrix = one_order(scores)
    assert matrix.n_pairs == 496
    assert matrix.diversity == pytest.approx(1 - points / 2480, abs=1e-15)
    assert round(matrix.diversity, 4) == published


@pytest.mark.parametrize(("score", "diversity"), [(5.0, 0.0), (0.0, 1.0)])
@pytest.mark.parametrize("build", [one_order, both_orders])
def test_all_equal_scores(build: Callable[[Array], SimilarityMatrix], score: float, diversity: float) -> None:
    assert build(np.full((6, 6), score)).diversity == diversity


def test_diversity_of_the_known_kernel() -> None:
    assert one_order(5 * KERNEL).diversity == pytest.approx(0.7, abs=1e-15)


def test_both_orders_average_over_cells() -> None:
    matrix = both_orders(np.array([[NAN, 4.0], [2.0, NAN]]))
    assert (matrix.n_pairs, matrix.n_wanted, matrix.n_scored) == (1, 2, 2)
    assert matrix.diversity == pytest.approx(1 - 3 / 5)
    assert matrix.symmetric().tolist() == [[5, 3], [3, 5]]
    assert matrix.order_asymmetry == 2.0


def test_missing_cells_are_counted_and_bounded() -> None:
    matrix = one_order(np.array([[NAN, 4, NAN], [NAN, NAN, 1], [NAN, NAN, NAN]], dtype=float))
    assert (matrix.n_pairs, matrix.n_wanted, matrix.n_scored) == (3, 3, 2)
    assert matrix.coverage == pytest.approx(2 / 3)
    assert matrix.diversity == pytest.approx(1 - 2.5 / 5)
    assert matrix.diversity_if_missing_same == pytest.approx(1 - 10 / 15)
    assert matrix.diversity_if_missing_different == pytest.approx(1 - 5 / 15)
    np.testing.assert_array_equal(matrix.symmetric(), [[5, 4, NAN], [4, 5, 1], [NAN, 1, 5]])
    assert math.isnan(matrix.vendi().value)


def test_scores_that_were_not_wanted_change_nothing() -> None:
    wanted = np.zeros((3, 3), dtype=bool)
    wanted[0, 1] = True
    matrix = SimilarityMatrix(np.array([[NAN, 4, 0], [0, NAN, 0], [0, 0, NAN]]), wanted)
    assert (matrix.n_pairs, matrix.n_scored, matrix.coverage) == (1, 1, 1.0)
    assert matrix.diversity == pytest.approx(0.2)
    assert math.isnan(matrix.order_asymmetry)
    assert np.isnan(matrix.symmetric()[0, 2])


def test_nothing_scored_is_nan_between_the_widest_bounds() -> None:
    matrix = one_order(np.full((3, 3), NAN))
    assert math.isnan(matrix.diversity)
    assert matrix.coverage == 0
    assert (matrix.diversity_if_missing_same, matrix.diversity_if_missing_different) == (0, 1)


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_wanted_is_nan(n: int) -> None:
    matrix = one_order(np.full((n, n), NAN))
    assert matrix.n_pairs == 0
    assert math.isnan(matrix.coverage)
    assert math.isnan(matrix.diversity)
    assert math.isnan(matrix.diversity_if_missing_same)
    assert math.isnan(matrix.order_asymmetry)


@given(st.integers(2, 9), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_diversity_lies_between_its_bounds(n: int, share_missing: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 6, (n, n)).astype(float)
    scores[generator.random((n, n)) < share_missing] = NAN
    matrix = both_orders(scores)
    assert matrix.diversity_if_missing_same <= matrix.diversity_if_missing_different
    if matrix.n_scored:
        low, high = matrix.diversity_if_missing_same, matrix.diversity_if_missing_different
        assert low - 1e-12 <= matrix.diversity <= high + 1e-12


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3), bool)),
        (np.zeros((3, 3)), np.zeros((2, 2), bool)),
        (np.zeros((2, 2)), np.eye(2, dtype=bool)),
        (np.full((2, 2), 5.5), np.zeros((2, 2), bool)),
        (np.full((2, 2), -1.0), np.zeros((2, 2), bool)),
        (np.full((2, 2), np.inf), np.zeros((2, 2), bool)),
    ],
    ids=["not square", "two shapes", "own pair wanted", "above 5", "below 0", "infinite"],
)
def test_impossible_matrices_are_refused(scores: Array, wanted: Array) -> None:
    with pytest.raises(ValueError):
        SimilarityMatrix(scores, wanted)


@pytest.mark.parametrize(
    ("q", "value"), [(1, 2.1573), (0.1, 2.8455), (0.5, 2.4203), (2, 1.9481), (math.inf, 1.5789), (0, 3)]
)
def test_vendi_score_of_the_known_kernel(q: float, value: float) -> None:
    score = vendi_score(KERNEL, q)
    assert round(score.value, 4) == value
    assert score.clipped_mass == 0
    assert one_order(5 * KERNEL).vendi(q).value == pytest.approx(score.value)


@pytest.mark.parametrize("q", [0, 0.1, 0.5, 1, 2, math.inf])
def test_vendi_score_counts_distinct_responses(q: float) -> None:
    assert vendi_score(np.eye(32), q).value == pytest.approx(32)
    assert vendi_score(np.ones((32, 32)), q).value == pytest.approx(1)


def test_indefinite_kernel_reports_what_was_clipped() -> None:
    """Eigenvalues of [[1,1,0],[1,1,1],[0,1,1]] are 1 and 1 +- sqrt(2)."""
    score = vendi_score(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]))
    p = np.array([1, 1 + math.sqrt(2)]) / (2 + math.sqrt(2))
    assert score.clipped_mass == pytest.approx((math.sqrt(2) - 1) / 3)
    assert score.value == pytest.approx(math.exp(-(p * np.log(p)).sum()))


def test_vendi_score_of_an_incomplete_kernel_is_nan() -> None:
    score = vendi_score(np.array([[1, NAN], [NAN, 1]]))
    assert math.isnan(score.value)
    assert math.isnan(score.clipped_mass)


@pytest.mark.parametrize(
    ("kernel", "q"),
    [(np.array([[1, 0.5], [0, 1]]), 1), (np.eye(3) / 2, 1), (np.ones((2, 3)), 1), (np.eye(3), -1)],
    ids=["not symmetric", "diagonal", "not square", "negative order"],
)
def test_vendi_score_refuses_what_it_is_not_defined_for(kernel: Array, q: float) -> None:
    with pytest.raises(ValueError):
        vendi_score(kernel, q)
