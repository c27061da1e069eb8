"""The best chosen on one half of the evidence and scored on the other."""

from __future__ import annotations

import numpy as np
import pytest

from diversity_judge.measures.split_choice import chosen_values


def test_each_half_scores_what_the_other_half_chooses() -> None:
    """Context 7: rows 0 and 3 against rows 1; context 9 stands alone.

    Rows 0, 3: means (2, 1), so they choose candidate 0, worth 5 by row 1; row 1 chooses candidate 1, worth 0 and 2.
    """
    values = np.array([[3.0, 0.0], [5.0, 8.0], [1.0, 1.0], [1.0, 2.0]])
    found = chosen_values(np.array([7, 7, 9, 7]), values)
    assert found[[0, 1, 3]].tolist() == [0.0, 5.0, 2.0]
    assert np.isnan(found[2])


def test_it_is_what_a_loop_over_contexts_finds() -> None:
    generator = np.random.default_rng(0)
    contexts, values = generator.integers(0, 30, 200), generator.normal(size=(200, 5))
    expected = np.full(200, np.nan)
    for context in range(30):
        rows = np.flatnonzero(contexts == context)
        halves = rows[::2], rows[1::2]
        if len(rows) > 1:
            for own, other in (halves, halves[::-1]):
                expected[own] = values[own, values[other].mean(axis=0).argmax()]
    np.testing.assert_allclose(chosen_values(contexts, values), expected)


def test_candidates_that_are_all_alike_have_no_lead_there_while_the_best_has() -> None:
    """Values are noise: the best of 16 lies 1.77 above (the mean of the largest of 16 normal draws), the chosen 0."""
    values = np.random.default_rng(1).normal(size=(4000, 16))
    found = chosen_values(np.repeat(np.arange(1000), 4), values)
    assert values.max(axis=1).mean() == pytest.approx(1.766, abs=0.05)
    assert found.mean() == pytest.approx(0.0, abs=0.06)


def test_an_unknown_value_makes_its_halves_unknown() -> None:
    values = np.array([[1.0, np.nan], [1.0, 2.0], [1.0, 2.0], [3.0, 2.0]])
    assert np.isnan(chosen_values(np.array([0, 0, 1, 1]), values)).tolist() == [True, True, False, False]


def test_shapes_that_do_not_agree_are_refused_and_nothing_gives_nothing() -> None:
    assert chosen_values(np.empty(0, int), np.empty((0, 3))).shape == (0,)
    with pytest.raises(ValueError, match="do not belong"):
        chosen_values(np.array([0, 1]), np.zeros((3, 2)))
