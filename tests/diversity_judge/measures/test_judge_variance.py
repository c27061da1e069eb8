"""Variance of judges: the mean squares of a two-way table by hand, and the components that a simulation put in."""

from __future__ import annotations

import numpy as np
import pytest

from diversity_judge.measures.judge_variance import COMPONENTS, judge_variance


def test_components_by_hand() -> None:
    # Pairs (rows) by judges: 1 2, 3 6, 5 4. Means of rows 1.5 4.5 4.5, of judges 3 4, of all 3.5.
    # Pairs: 2 ((2)^2 + 1 + 1) = 12, over 2 degrees 6. Judges: 3 (0.25 + 0.25) = 1.5, over 1 degree 1.5.
    # All: 6.25 + 2.25 + 0.25 + 6.25 + 2.25 + 0.25 = 17.5, so the rest is 4, over 2 degrees 2.
    found = judge_variance(np.array([[1, 2], [3, 6], [5, 4.0]]), np.array(["a", "b", "c"]))
    assert [found.components[name].value for name in COMPONENTS] == pytest.approx([(6 - 2) / 2, (1.5 - 2) / 3, 2])
    assert found.share("judge") == 0, "a component below zero is none"
    assert found.share("pair") == pytest.approx(0.5)


def test_components_are_found_again() -> None:
    rng = np.random.default_rng(0)
    n, strictness = 3_000, np.array([0.6, -0.6, 0.0])
    scores = rng.normal(0, 1, (n, 1)) + strictness + rng.normal(0, 0.5, (n, 3))
    found = judge_variance(scores, np.array([f"p{k // 10}" for k in range(n)]))
    expected = [1.0, strictness.var(ddof=1), 0.25]
    assert [found.components[name].value for name in COMPONENTS] == pytest.approx(expected, abs=0.06)
    for name, truth in zip(COMPONENTS, expected, strict=True):
        estimate = found.components[name]
        assert estimate.low < truth < estimate.high or name == "judge"


def test_pairs_that_a_judge_lacks_are_left_out() -> None:
    scores = np.array([[1, 2], [3, np.nan], [4, 4], [0, 1.0]])
    found = judge_variance(scores, np.array(list("abcd")))
    same = judge_variance(scores[[0, 2, 3]], np.array(list("acd")))
    assert found.n_pairs == 3
    assert found.components == same.components


def test_too_little_says_nothing() -> None:
    assert np.isnan(judge_variance(np.array([[1, 2.0]]), np.array(["a"])).components["pair"].value)
    with pytest.raises(ValueError, match="needs two"):
        judge_variance(np.ones((4, 1)), np.array(list("abcd")))
