"""Rarefied figures against plain enumeration of subsets, and what does not need rarefying."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from diversity_judge.measures import rarefaction
from diversity_judge.measures.approaches import count_approaches
from diversity_judge.measures.matrix import population_vendi_2, vendi_score
from diversity_judge.measures.rarefaction import rarefied_approaches, rarefied_vendi, subsets

Array = np.ndarray[Any, Any]


def random_similarity(n: int, seed: int) -> Array:
    upper = np.triu(np.random.default_rng(seed).integers(0, 6, (n, n)), 1).astype(np.float64)
    similarity = upper + upper.T
    np.fill_diagonal(similarity, 5.0)
    return similarity


def enumerated(similarity: Array, size: int, figure: Any) -> float:
    members = combinations(range(len(similarity)), size)
    return float(np.mean([figure(similarity[np.ix_(chosen, chosen)]) for chosen in members]))


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("seed", [0, 1])
def test_the_mean_over_all_subsets(size: int, seed: int) -> None:
    similarity = random_similarity(7, seed)
    vendi = rarefied_vendi(similarity, size)
    assert vendi.value == pytest.approx(enumerated(similarity, size, lambda s: vendi_score(s / 5).value))
    assert vendi.clipped_mass == pytest.approx(enumerated(similarity, size, lambda s: vendi_score(s / 5).clipped_mass))
    for threshold in (3.0, 4.0, 5.0):
        expected = enumerated(similarity, size, lambda s, t=threshold: count_approaches(s, threshold=t).value)
        assert rarefied_approaches(similarity, size, threshold=threshold).value == pytest.approx(expected)


def test_a_chain_is_one_approach_only_where_all_of_it_was_drawn() -> None:
    chain = np.where(np.abs(np.subtract.outer(np.arange(9), np.arange(9))) <= 1, 5.0, 0.0)
    assert rarefied_approaches(chain, 9).value == 1
    assert rarefied_approaches(chain, 2).value == pytest.approx(2 - 8 / 36)


def test_random_subsets_come_close_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard error of a mean of 400 numbers of approaches, none more than a few apart, is below 0.1."""
    similarity = random_similarity(12, 3)
    drawn = rarefied_vendi(similarity, 6, seed=1), rarefied_approaches(similarity, 6, threshold=5, seed=1)
    assert len(subsets(12, 6)) == rarefaction.SUBSETS >= 200
    monkeypatch.setattr(rarefaction, "SUBSETS", math.comb(12, 6))
    exact = rarefied_vendi(similarity, 6), rarefied_approaches(similarity, 6, threshold=5)
    assert drawn[0].value == pytest.approx(exact[0].value, abs=0.05)
    assert drawn[1].value == pytest.approx(exact[1].value, abs=0.3)
    assert drawn[0].value != exact[0].value


@pytest.mark.parametrize(("name", "value"), [("_CELLS", 50), ("_SMALL", 2)])
def test_how_it_is_computed_changes_nothing(name: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    similarity = random_similarity(8, 6)
    similarity[0, 3] = similarity[3, 0] = math.nan
    whole = np.where(np.isnan(similarity), 2.0, similarity)
    before = rarefied_vendi(whole, 5), rarefied_approaches(similarity, 5, threshold=5)
    monkeypatch.setattr(rarefaction, name, value)
    assert rarefied_vendi(whole, 5).value == pytest.approx(before[0].value)
    assert rarefied_approaches(similarity, 5, threshold=5) == before[1]


def test_random_subsets_are_those_of_their_seed_and_hold_nobody_twice() -> None:
    chosen = subsets(20, 10, seed=4)
    assert np.array_equal(chosen, subsets(20, 10, seed=4))
    assert not np.array_equal(chosen, subsets(20, 10, seed=5))
    assert all(len(set(row)) == 10 for row in chosen.tolist())


def test_a_missing_pair_leaves_the_figures_open() -> None:
    similarity = random_similarity(5, 0)
    similarity[0, 1] = similarity[1, 0] = math.nan
    assert math.isnan(rarefied_vendi(similarity, 3).value)
    count = rarefied_approaches(np.where(np.isnan(similarity), math.nan, np.eye(5) * 5), 3)
    assert count.low < count.high
    assert math.isnan(count.value)


@pytest.mark.parametrize("size", [0, 6])
def test_there_must_be_so_many_responses(size: int) -> None:
    with pytest.raises(ValueError, match=f"subsets of {size} of 5"):
        subsets(5, size)


@pytest.mark.parametrize("n", [4, 8, 16])
def test_the_population_vendi_score_of_order_2_does_not_grow_with_n(n: int) -> None:
    """k equal camps: two responses agree with probability 1/k, so E mean((S/5)^2) = 1/k at every n."""
    camps = np.random.default_rng(n).integers(0, 4, (4000, n))
    pairs = [np.where(row[:, None] == row, 5.0, 0.0) for row in camps]
    upper = np.triu_indices(n, 1)
    mean_square = np.mean([((s / 5) ** 2)[upper].mean() for s in pairs])
    assert mean_square == pytest.approx(1 / 4, abs=0.01)
    single = pairs[int(np.argmax([s[upper].any() for s in pairs]))]
    assert population_vendi_2(single) == pytest.approx(1 / ((single / 5) ** 2)[upper].mean())


def test_the_population_vendi_score_is_that_of_order_2_of_endless_copies() -> None:
    """Each response copied m times: the pairs of a response with itself are 1/n of all, as in the limit."""
    similarity = random_similarity(6, 2)
    copies: Array = np.kron(similarity, np.ones((40, 40)))
    squares = vendi_score(similarity / 5, q=2)
    if squares.clipped_mass == 0:
        assert population_vendi_2(copies) == pytest.approx(squares.value, rel=0.01)
    frobenius = 36 / ((similarity / 5) ** 2).sum()
    assert population_vendi_2(copies) == pytest.approx(frobenius, rel=0.01)


def test_no_pair_alike_has_no_effective_number() -> None:
    assert math.isnan(population_vendi_2(np.eye(4) * 5))
    assert math.isnan(population_vendi_2(np.full((1, 1), 5.0)))
    assert population_vendi_2(np.full((3, 3), 5.0)) == 1
