"""Which ordered pairs of a group's responses the judge is asked about, and why these.

With one judgment an unordered pair the orientation is balanced (each response stands first as often as
second), so that a position bias of the judge cannot favour early samples. A thinned design takes whole
circulant differences, so that each response keeps an equal share of the pairs: the mean stays unbiased and
its variance can be estimated. A pair keeps its orientation in every design, and a larger design of the same
seed holds the smaller one where M is a multiple of n, so that paid judgments are reused when a user asks for more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from diversity_judge.errors import InputError

Orders = Literal["one", "both"]


class Pair(NamedTuple):
    """An ordered pair of response positions in a group, and which of its repeated draws this is."""

    first: int
    second: int
    draw: int = 0


@dataclass(frozen=True)
class PairDesign:
    """The user's choice of pairs.

    Attributes:
        orders: `one` judgment an unordered pair (balanced orientation), or `both` orders.
        pairs_per_group: Number M of unordered pairs a group, or None for all n(n-1)/2.
        draws: Number of repeated judgments of each ordered pair.
        seed: Chooses the differences of a thinned design.
    """

    orders: Orders = "one"
    pairs_per_group: int | None = None
    draws: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers below one."""
        if self.draws < 1:
            raise InputError(f"--draws must be at least 1, not {self.draws}")
        if self.pairs_per_group is not None and self.pairs_per_group < 1:
            raise InputError(f"--pairs-per-group must be at least 1, not {self.pairs_per_group}")

    def plan(self, n: int) -> list[Pair]:
        """All judgments wanted of a group of n responses, those with the same first response together."""
        if self.pairs_per_group is None:
            oriented = [orient(i, j, n) for i in range(n) for j in range(i + 1, n)]
        else:
            oriented = circulant_pairs(n, self.pairs_per_group, self.seed)
        if self.orders == "both":
            oriented += [(second, first) for first, second in oriented]
        return [Pair(i, j, draw) for i, j in sorted(oriented) for draw in range(self.draws)]


def orient(i: int, j: int, n: int) -> tuple[int, int]:
    """The balanced orientation of an unordered pair of positions i < j among n.

    i stands first when (j - i) mod n < n/2; on the tie n/2 the lower index does.
    """
    if i > j:
        i, j = j, i
    return (i, j) if 2 * (j - i) <= n else (j, i)


def circulant_pairs(n: int, m: int, seed: int) -> list[tuple[int, int]]:
    """A balanced design of m of the n(n-1)/2 unordered pairs, oriented.

    A difference d gives the n pairs (i, i + d mod n), in which each response occurs twice, once in each place
    (n/2 pairs for d = n/2). Whole differences are taken in a random order; what is left of m is a matching
    along the cycle of one more difference, so that the numbers of pairs a response differ by one at most.

    Args:
        n: Number of responses.
        m: Number of unordered pairs wanted; all of them when m is n(n-1)/2 or more.
        seed: Of the order of the differences.

    Returns:
        m ordered pairs (first, second), sorted.
    """
    if 2 * m >= n * (n - 1):
        return sorted(orient(i, j, n) for i in range(n) for j in range(i + 1, n))
    rng = np.random.default_rng([seed, n])
    # Difference 1 comes last: its cycle passes through all responses, so any part of it can be taken evenly.
    differences = [int(d) for d in rng.permutation(np.arange(2, (n - 1) // 2 + 1))] + [1]
    whole, rest = divmod(m, n)
    pairs = [_edge(i, d, n) for d in differences[:whole] for i in range(n)]
    return sorted(pairs + _part_of_a_difference(n, rest))


def _part_of_a_difference(n: int, rest: int) -> list[tuple[int, int]]:
    """`rest` < n more pairs that touch each response equally often, give or take one."""
    if n % 2 == 0 and rest <= n // 2:
        return [_edge(i, n // 2, n) for i in range(rest)]
    # Every second edge of the cycle 0, 1, ..., n-1 is a matching; a cycle without a matching is as even.
    edges = [_edge(i, 1, n) for i in range(n)]
    if rest <= n // 2:
        return edges[: 2 * rest : 2]
    left_out = set(edges[: 2 * (n - rest) : 2])
    return [edge for edge in edges if edge not in left_out]


def _edge(i: int, difference: int, n: int) -> tuple[int, int]:
    return orient(i, (i + difference) % n, n)
