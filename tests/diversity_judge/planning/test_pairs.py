"""The pair designs: counted by hand, or against the properties that make them balanced."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from math import gcd
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.choices import Orders
from diversity_judge.errors import InputError
from diversity_judge.planning.pairs import Pair, PairDesign, circulant_pairs, orient


def test_a_full_design_judges_each_unordered_pair_once() -> None:
    pairs = PairDesign().plan(32)
    assert len(pairs) == 496
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == 496


@pytest.mark.parametrize(("n", "firsts"), [(5, [2] * 5), (32, [16] * 16 + [15] * 16)])
def test_orientation_is_balanced(n: int, firsts: list[int]) -> None:
    # Each of n responses is in n - 1 pairs. With n odd it stands first in (n - 1) / 2 of them; with n even the pair at
    # distance n/2 puts the lower index first, so that the lower half has one more.
    counts = Counter(pair.first for pair in PairDesign().plan(n))
    assert [counts[i] for i in range(n)] == firsts


def test_orientation_follows_the_rule_of_the_design() -> None:
    # n = 4: distances (j - i) mod 4 below 2 put i first; 2 is the tie, lower index first; 3 puts j first.
    assert [orient(0, 1, 4), orient(0, 2, 4), orient(0, 3, 4), orient(1, 3, 4)] == [(0, 1), (0, 2), (3, 0), (1, 3)]


def test_both_orders_judges_every_ordered_pair() -> None:
    pairs = {(pair.first, pair.second) for pair in PairDesign(orders="both").plan(5)}
    assert pairs == {(i, j) for i in range(5) for j in range(5) if i != j}


@given(
    st.integers(1, 30), st.sampled_from(["one", "both"]), st.integers(1, 3), st.none() | st.integers(1, 500), st.data()
)
def test_pairs_made_as_they_are_asked_for_are_those_of_a_list(
    n: int, orders: Orders, draws: int, m: int | None, data: st.DataObject
) -> None:
    unordered = circulant_pairs(n, m, 3) if m else [orient(i, j, n) for i in range(n) for j in range(i + 1, n)]
    ordered = unordered + [(second, first) for first, second in unordered if orders == "both"]
    expected = [Pair(first, second, draw) for first, second in sorted(ordered) for draw in range(draws)]
    planned = PairDesign(orders, m, draws, seed=3).plan(n)
    assert list(planned) == expected
    assert len(planned) == len(expected)
    assert [planned[i] for i in range(-len(expected), len(expected))] == expected * 2
    assert all(type(place) is int for pair in planned for place in pair)
    start, stop = sorted(data.draw(st.tuples(st.integers(0, 40), st.integers(0, 40))))
    assert planned[start:stop] == expected[start:stop]
    with pytest.raises(IndexError):
        planned[len(expected)]


def test_the_pairs_of_a_huge_group_take_no_memory() -> None:
    tracemalloc.start()
    planned = PairDesign().plan(100_000)
    assert len(planned) == 4_999_950_000
    assert planned[-1] == Pair(99_999, 49_998)  # n even: the last in the order of its row, after the wrapped ones
    assert next(iter(planned)) == Pair(0, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_draws_repeat_every_pair() -> None:
    assert list(PairDesign(draws=3).plan(2)) == [Pair(0, 1, 0), Pair(0, 1, 1), Pair(0, 1, 2)]


def test_pairs_with_the_same_first_response_stand_together() -> None:
    firsts = [pair.first for pair in PairDesign(draws=2).plan(9)]
    assert firsts == sorted(firsts)


@given(st.integers(2, 40), st.data(), st.integers(0, 5))
def test_a_thinned_design_is_balanced(n: int, data: st.DataObject, seed: int) -> None:
    total = n * (n - 1) // 2
    m = data.draw(st.integers(1, total))
    pairs = circulant_pairs(n, m, seed)
    assert len(pairs) == m
    assert len({frozenset(pair) for pair in pairs}) == m
    uses = Counter(response for pair in pairs for response in pair)
    counts = [uses[i] for i in range(n)]
    # One cycle through all responses for each difference that has no factor in common with n; the others come later.
    of_one_cycle = n * sum(gcd(n, difference) == 1 for difference in range(1, (n + 1) // 2))
    assert max(counts) - min(counts) <= (1 if m <= of_one_cycle or n in (8, 16, 32) else 2)


@pytest.mark.parametrize("m", [32, 64, 128])
def test_whole_differences_put_each_response_first_equally_often(m: int) -> None:
    counts = Counter(first for first, _ in circulant_pairs(32, m, 0))
    assert set(counts.values()) == {m // 32}


@given(st.integers(2, 40), st.data(), st.integers(0, 5))
def test_a_larger_design_of_the_same_seed_holds_the_smaller_one(n: int, data: st.DataObject, seed: int) -> None:
    total = n * (n - 1) // 2
    m = data.draw(st.integers(1, total))
    smaller, larger = (circulant_pairs(n, some, seed) for some in (max(1, m // 2), m))
    if m < total:  # All pairs are oriented by their positions.
        assert set(smaller) <= set(larger)
    assert {frozenset(pair) for pair in smaller} <= {frozenset(pair) for pair in larger}


def test_all_pairs_do_not_depend_on_the_seed_or_on_an_order() -> None:
    by_the_rule = sorted(Pair(*orient(i, j, 9)) for i in range(9) for j in range(i))
    for design in (PairDesign(), PairDesign(seed=5), PairDesign(pairs_per_group=36, seed=5)):
        assert list(design.plan(9)) == list(design.plan(9, [8, 7, 6, 5, 4, 3, 2, 1, 0])) == by_the_rule


@pytest.mark.parametrize("m", [5, 16, 32, 40, 64])
def test_the_seed_chooses_the_pairs(m: int) -> None:
    assert circulant_pairs(32, m, 1) != circulant_pairs(32, m, 2)


@pytest.mark.parametrize("m", [6, 24, 60])
def test_every_pair_is_as_likely_as_every_other(m: int) -> None:
    # 2,000 seeds: each of the 276 pairs of 24 responses is chosen Binomial(2000, m / 276) times; 5 deviations of it.
    chosen = Counter(frozenset(pair) for seed in range(2000) for pair in circulant_pairs(24, m, seed))
    share = m / 276
    counts = [chosen[frozenset((i, j))] for i in range(24) for j in range(i)]
    assert max(abs(count - 2000 * share) for count in counts) < 5 * (2000 * share * (1 - share)) ** 0.5


def test_a_response_more_moves_few_of_the_others_pairs() -> None:
    before, after = (PairDesign(pairs_per_group=2 * n).plan(n, range(n)) for n in (32, 33))
    # 33 comes between 32 and 1, so it parts 3 pairs (32-1, 32-2, 31-1), of which one stays at distance 2.
    assert len(set(before) - set(after)) == 2


@pytest.mark.parametrize("design", [{"draws": 0}, {"pairs_per_group": 0}])
def test_numbers_below_one_are_refused(design: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="at least 1"):
        PairDesign(**design)
