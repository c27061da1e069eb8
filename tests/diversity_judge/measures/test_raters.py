"""Agreement of raters against other libraries: krippendorff's alpha and scikit-learn's quadratic weighted kappa."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from diversity_judge.measures.raters import quadratic_kappa, rater_pairs, raters_alpha


@pytest.fixture
def scores() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, size=60)
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    found = np.clip(truth[:, None] + rng.integers(-1, 2, size=(60, 4)), 0, 5).astype(np.float64)
    found[rng.random(found.shape) < 0.2] = np.nan
    return found


PROBLEMS = np.array([f"p{n % 12}" for n in range(60)])


def test_alpha_is_that_of_the_krippendorff_package(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    expected = krippendorff.alpha(reliability_data=scores.T, level_of_measurement="ordinal", value_domain=range(6))
    found = raters_alpha(scores, PROBLEMS)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.low < found.value < found.high


def test_kappa_is_that_of_scikit_learn(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    both = ~np.isnan(scores[:, :2]).any(axis=1)
    one, other = scores[both, 0], scores[both, 1]
    expected = cohen_kappa_score(one.astype(int), other.astype(int), weights="quadratic", labels=range(6))
    assert quadratic_kappa(one, other, PROBLEMS[both]).value == pytest.approx(expected, abs=1e-12)


def test_each_two_raters_are_counted_by_hand() -> None:
    table = np.array([[5, 5, np.nan], [4, 5, 1], [0, 2, 0], [3, 3, 3.0]])
    found = rater_pairs(table, ["a", "b", "c"], np.array(["p", "q", "r", "s"]))
    assert [(pair.one, pair.other, pair.n) for pair in found] == [("a", "b", 4), ("a", "c", 3), ("b", "c", 3)]
    assert [pair.exact.value for pair in found] == pytest.approx([2 / 4, 2 / 3, 1 / 3])
    assert [pair.within_one.value for pair in found] == pytest.approx([3 / 4, 2 / 3, 1 / 3])
    assert [pair.bias.value for pair in found] == pytest.approx([-3 / 4, 3 / 3, 6 / 3])


def test_raters_that_never_vary_have_no_kappa_and_no_alpha() -> None:
    same = np.full((5, 2), 3.0)
    assert np.isnan(quadratic_kappa(same[:, 0], same[:, 1], np.array(list("abcde"))).value)
    assert np.isnan(raters_alpha(same, np.array(list("abcde"))).value)
    assert np.isnan(raters_alpha(np.full((5, 2), np.nan), np.array(list("abcde"))).value)
