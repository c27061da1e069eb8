"""The difference estimator against its definition, exact enumerations of designs, and explicit moment equations."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diversity_judge.measures.intervals import group_estimate
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.surrogate import (
    METHOD,
    SlopeMoments,
    Surrogate,
    difference_estimate,
    explained_share,
    pooled_coefficients,
    slope_moments,
)

Array = NDArray[Any]


def drawn(n: int, seed: int) -> tuple[Array, Array]:
    """Scores (n, n) by orientation, and a symmetric surrogate that knows a part of what is in them."""
    generator = np.random.default_rng(seed)
    effect = generator.normal(0, 0.3, n)
    pair = np.triu(generator.normal(0, 0.5, (n, n)), 1)
    common = effect[:, None] + effect + pair + pair.T
    other = np.triu(generator.normal(0, 0.3, (n, n)), 1)
    scores = np.clip(2.5 + common + generator.normal(0, 0.1, (n, n)), 0, 5)
    return scores, 7 + 0.5 * common + other + other.T


def judged(scores: Array, cells: Any) -> SimilarityMatrix:
    wanted = np.zeros(scores.shape, dtype=bool)
    for i, j in cells:
        wanted[i, j] = True
    return SimilarityMatrix(np.where(wanted, scores, np.nan), wanted)


def circle(n: int, *steps: int) -> list[tuple[int, int]]:
    return [(i, (i + step) % n) for step in steps for i in range(n)]


def all_pairs(n: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(n), 2))


def test_the_value_is_the_mean_of_what_the_surrogate_leaves_plus_its_own_mean() -> None:
    scores, f = drawn(9, 1)
    cells = circle(9, 1, 2)
    expected = np.mean([scores[c] - 0.8 * f[c] for c in cells]) + 0.8 * np.mean([f[c] for c in all_pairs(9)])
    found = difference_estimate(judged(scores, cells), Surrogate(f, 0.8))
    assert found.value == pytest.approx(1 - expected / 5, rel=1e-12)
    assert found.method == METHOD


@pytest.mark.parametrize("coefficient", [-0.7, 0.0, 0.4, 2.0])
def test_over_all_the_ways_to_lay_a_circle_the_mean_is_that_of_all_pairs(coefficient: float) -> None:
    """Exact: all orders of 6 responses (but for turning the circle), for a good lambda and for bad ones."""
    scores, f = drawn(6, 2)
    scores = (scores + scores.T) / 2
    values = [
        difference_estimate(judged(scores, [(o[i], o[j]) for i, j in circle(6, 1)]), Surrogate(f, coefficient)).value
        for rest in itertools.permutations(range(1, 6))
        for o in [(0, *rest)]
    ]
    assert np.mean(values) == pytest.approx(1 - np.mean([scores[c] for c in all_pairs(6)]) / 5, rel=1e-12)


def test_with_all_pairs_judged_it_is_the_same_number_and_interval() -> None:
    scores, f = drawn(8, 3)
    for cells in (all_pairs(8), list(itertools.permutations(range(8), 2))):
        matrix = judged(scores, cells)
        assert difference_estimate(matrix, Surrogate(f, 1.3)) == group_estimate(matrix)


def test_without_a_coefficient_it_is_the_mean_of_the_scored_pairs() -> None:
    scores, f = drawn(8, 3)
    matrix = judged(scores, circle(8, 1, 3))
    assert difference_estimate(matrix, Surrogate(f)) == group_estimate(matrix)


def test_a_surrogate_that_is_the_score_gives_what_all_pairs_give() -> None:
    scores, _ = drawn(16, 4)
    scores = (scores + scores.T) / 2
    found = difference_estimate(judged(scores, circle(16, 1)), Surrogate(scores, 1.0))
    whole = group_estimate(judged(scores, all_pairs(16)))
    assert (found.value, found.low, found.high) == pytest.approx((whole.value, whole.low, whole.high), rel=1e-9)


def marks(rows: list[tuple[int, int]], columns: list[tuple[int, int]]) -> list[Array]:
    """0/1 matrices: the same pair; sharing one response."""
    common = np.array([[len({*c} & {*d}) for d in columns] for c in rows])
    return [(common == 2).astype(float), (common == 1).astype(float)]


def moments(y: Array, f: Array, rows: list[tuple[int, int]], columns: list[tuple[int, int]]) -> tuple[float, float]:
    """s and tau from the expected values <R_k, M R_l M'> of the residual products, M and M' centring either side."""
    left, right = (np.eye(len(side)) - 1 / len(side) for side in (rows, columns))
    r = marks(rows, columns)
    system = np.array([[(a * (left @ b @ right)).sum() for b in r] for a in r])
    products = [(left @ y) @ a @ (right @ f) for a in r]
    same, s = np.linalg.solve(system, products)
    return float(s), float(same - 2 * s)


@pytest.mark.parametrize("steps", [(1,), (1, 2), (2, 3)], ids=str)
def test_the_variance_is_the_formula_with_moments_solved_from_explicit_matrices(steps: tuple[int, ...]) -> None:
    n, coefficient = 9, 0.9
    scores, f = drawn(n, 5)
    cells, every = circle(n, *steps), all_pairs(n)
    m, total = len(cells), len(every)
    g = coefficient * np.array([f[c] for c in every])
    d = np.array([scores[c] - coefficient * f[c] for c in cells])
    (s_d, tau_d), (s_df, tau_df), (s_ff, tau_ff) = (
        moments(d, d, cells, cells), moments(d, g, cells, every), moments(g, g, every, every),
    )  # fmt: skip
    if s_d < 0:
        tau_d = float(np.var(d, ddof=1))
    s_y, tau_y = s_d + 2 * s_df + s_ff, tau_d + 2 * tau_df + tau_ff
    expected = 4 * max(s_y, 0) / n + max(tau_y, 0) / total + (1 / m - 1 / total) * max(tau_d, 0)
    found = difference_estimate(judged(scores, cells), Surrogate(f, coefficient))
    assert found.se == pytest.approx(math.sqrt(expected) / 5, rel=1e-9)


def test_the_coefficient_is_the_slope_of_the_pairs_own_part_in_the_other_groups() -> None:
    """One other group, 4000 pairs: 0.5 of the common part and a variance of 0.09 of its own give 0.125 / 0.1525."""
    groups = [drawn(200, seed) for seed in (6, 7)]
    found = pooled_coefficients([slope_moments(judged(s, circle(200, *range(1, 21))), f) for s, f in groups])
    assert found == pytest.approx([0.125 / 0.1525] * 2, abs=0.05)


def test_a_group_has_no_say_in_its_own_coefficient() -> None:
    groups = [slope_moments(judged(s, circle(12, 1, 2, 3)), f) for s, f in (drawn(12, seed) for seed in range(4))]
    changed = [replace(groups[0], covariance=99.0, variance=1.0), *groups[1:]]
    assert pooled_coefficients(changed)[0] == pooled_coefficients(groups)[0]
    assert pooled_coefficients(changed)[1] != pooled_coefficients(groups)[1]


def test_few_pairs_elsewhere_or_none_or_a_constant_surrogate_give_no_coefficient() -> None:
    assert pooled_coefficients([SlopeMoments(1.0, 1.0, 500)]) == [0.0]
    assert pooled_coefficients([SlopeMoments(1.0, 1.0, 500), SlopeMoments(1.0, 1.0, 29)]) == [0.0, 1.0]
    assert pooled_coefficients([SlopeMoments(1.0, 0.0, 500), SlopeMoments(1.0, 0.0, 500)]) == [0.0, 0.0]


def test_where_theta_leaves_the_scale_or_nothing_varies_the_mean_stays() -> None:
    scores, f = drawn(8, 8)
    matrix = judged(scores, circle(8, 1))
    low = np.where(np.arange(8)[:, None] + np.arange(8) == 12, -500.0, 0.0)  # of the pair 5, 7, which is not judged
    assert difference_estimate(matrix, Surrogate(low, 1.0)) == group_estimate(matrix)
    alike = judged(np.full((8, 8), 4.0), circle(8, 1))
    assert difference_estimate(alike, Surrogate(f, 1.0)) == group_estimate(alike)


def test_the_explained_share_is_that_of_the_pairs_own_variance() -> None:
    """Scores of pairs: 0.25 of what f knows half of, 0.01 of noise; f: 0.0625 of it, 0.09 of noise; lambda 0.8."""
    groups = [(s, f) for s, f in (drawn(60, seed) for seed in range(8))]
    shares = [(judged(s, circle(60, 1, 2, 3, 4, 5)), Surrogate(f, 0.8)) for s, f in groups]
    expected = (2 * 0.8 * 0.125 - 0.8**2 * (0.0625 + 0.09)) / (0.25 + 0.01)
    assert explained_share(shares) == pytest.approx(expected, abs=0.05)


def test_nothing_is_explained_where_all_pairs_are_judged_or_nothing_varies() -> None:
    scores, f = drawn(9, 9)
    assert math.isnan(explained_share([(judged(scores, all_pairs(9)), Surrogate(f, 0.6))]))
    assert math.isnan(explained_share([(judged(np.full((9, 9), 3.0), circle(9, 1)), Surrogate(f, 0.6))]))


@pytest.mark.parametrize("place", [(0, 1), (3, 2)])
def test_a_surrogate_that_depends_on_the_order_or_lacks_a_pair_is_refused(place: tuple[int, int]) -> None:
    _, f = drawn(5, 10)
    uneven, lacking = f.copy(), f.copy()
    uneven[place] += 0.5
    lacking[place] = lacking[place[::-1]] = np.nan
    with pytest.raises(ValueError, match="symmetric"):
        Surrogate(uneven)
    with pytest.raises(ValueError, match="every pair"):
        Surrogate(lacking)


def test_a_part_keeps_the_pairs_of_its_responses() -> None:
    _, f = drawn(5, 11)
    part = Surrogate(f, 0.3).part(np.array([True, False, True, True, False]))
    assert (part.values[0, 1], part.values[1, 2], part.coefficient) == (f[0, 2], f[2, 3], 0.3)
