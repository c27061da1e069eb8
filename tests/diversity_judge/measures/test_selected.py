"""Diversity of a part of the responses and retest spread, against plain loops."""

from __future__ import annotations

import math
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest

from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.paired import paired_difference
from diversity_judge.measures.retest import Retest, retest
from diversity_judge.measures.selected import diversity_between, diversity_within
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair

RIGHT = np.array([True, False, True, True, False, False, True])


def matrix(seed: int) -> SimilarityMatrix:
    """Both orders, some missing."""
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 6, (7, 7)).astype(np.float64)
    scores[generator.random((7, 7)) < 0.2] = np.nan
    np.fill_diagonal(scores, np.nan)
    return SimilarityMatrix(scores, ~np.eye(7, dtype=bool))


@pytest.mark.parametrize("seed", range(3))
def test_the_mean_over_the_chosen_pairs(seed: int) -> None:
    whole = matrix(seed)
    kinds = [
        (diversity_within(whole, RIGHT), {2}, 4),
        (diversity_within(whole, ~RIGHT), {0}, 3),
        (diversity_between(whole, RIGHT, ~RIGHT), {1}, 7),
    ]
    right = RIGHT.astype(int)
    for found, n_right, n in kinds:
        cells = [whole.scores[i, j] for i, j in permutations(range(7), 2) if right[i] + right[j] in n_right]
        assert found.value == pytest.approx(1 - np.nanmean(cells) / 5)
        pairs = [(i, j) for i, j in combinations(range(7), 2) if right[i] + right[j] in n_right]
        scored = [p for p in pairs if not np.isnan([whole.scores[p], whole.scores[p[::-1]]]).all()]
        assert (found.n_responses, found.n_pairs) == (n, len(scored))


def test_a_part_is_a_matrix_of_its_own() -> None:
    whole = matrix(0)
    part = whole.part(RIGHT)
    assert part.n_responses == 4
    assert part.diversity == pytest.approx(diversity_within(whole, RIGHT).value)


def test_one_response_has_no_diversity() -> None:
    alone = np.arange(7) == 2
    found = diversity_within(matrix(0), alone)
    assert (math.isnan(found.value), found.n_responses, found.n_pairs) == (True, 1, 0)


def draws(first: int, second: int, *scores: int | None, key: str | None = "k") -> list[Judgment]:
    return [Judgment(Pair(first, second, draw), key, score, None) for draw, score in enumerate(scores)]


def test_the_retest_spread_is_pooled_over_pairs_in_their_order() -> None:
    found = retest([*draws(0, 1, 3, 4, 5), *draws(1, 0, 0, 0, 0), *draws(0, 2, 1, 3)])
    # Squares: 1 + 0 + 1 of 3, 4, 5; none of 0, 0, 0; 1 + 1 of 1, 3. Degrees: 2 + 2 + 1.
    assert found.sd == pytest.approx(math.sqrt((2 + 0 + 2) / 5))


def test_one_draw_says_nothing_of_noise_nor_do_duplicates_and_missing_scores() -> None:
    assert math.isnan(retest([*draws(0, 1, 3), *draws(1, 0, 5)]).sd)
    assert math.isnan(retest([*draws(0, 1, 5, 5, key=None), *draws(1, 2, 3, None)]).sd)
    assert math.isnan(retest([]).sd)


def test_spreads_add_up() -> None:
    one, other = draws(0, 1, 3, 4, 5), draws(2, 3, 1, 5)
    assert retest(one) + retest(other) == retest([*one, *other])
    assert sum([retest(one), retest(other)], Retest()).degrees == 3


def studies_without_a_difference(count: int, shift: float) -> np.ndarray[Any, Any]:
    """(count, 2) difference of levels, and paired difference, of two strategies of which one is less often right.

    Hard problems have more approaches, whoever answers them, so that there is no true difference of diversity.
    """
    generator, n, n_problems = np.random.default_rng(0), 8, 40
    once = np.triu(np.ones((n, n), dtype=np.bool_), 1)
    found = []
    for _ in range(count):
        ease = generator.normal(0, 1.5, n_problems)
        values: list[dict[str, float]] = []
        for handicap in (0.0, shift):
            mine = {}
            for problem, ease_of_it in enumerate(ease):
                right = generator.random(n) < 1 / (1 + math.exp(-(ease_of_it - handicap)))
                alike = 1 - np.clip(0.45 - 0.08 * ease_of_it, 0.05, 0.95)
                scores = np.where(once, generator.binomial(5, alike, (n, n)).astype(np.float64), np.nan)
                mine[f"p{problem}"] = diversity_within(SimilarityMatrix(scores, once), right).value
            values.append(mine)
        levels = [np.nanmean(list(mine.values())) for mine in values]
        found.append((levels[1] - levels[0], paired_difference(values[1], values[0]).estimate.value))
    return np.array(found)


def test_pairing_repairs_what_the_selection_of_correct_responses_does_to_levels() -> None:
    found = studies_without_a_difference(100, shift=1.0)
    (levels, paired), error = found.mean(axis=0), found.std(axis=0) / math.sqrt(len(found))
    assert levels < -0.015, "levels differ though nothing does"
    assert levels < -4 * error[0]
    assert abs(paired) < 3 * error[1]
