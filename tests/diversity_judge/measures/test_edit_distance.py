from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.measures.edit_distance import edit_share


def by_recursion(first: str, second: str) -> int:
    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        same = first[i - 1] == second[j - 1]
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (not same))

    return distance(len(first), len(second))


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [("kitten", "sitting", 3 / 7), ("", "", 0), ("", "ab", 1), ("ab", "", 1), ("a", "a", 0)],
)
def test_known_distances(first: str, second: str, share: float) -> None:
    assert edit_share(first, second) == pytest.approx(share)


@given(st.text("abc", max_size=9), st.text("abc", max_size=9))
def test_it_is_the_definition(first: str, second: str) -> None:
    assert edit_share(first, second) * max(len(first), len(second)) == pytest.approx(by_recursion(first, second))
