"""Which ordered pairs of a group's responses the judge is asked about, and why these.

With one judgment an unordered pair the orientation is balanced (each response stands first as often as
second), so that a position bias of the judge cannot favour early samples. A thinned design takes whole
circulant differences, so that each response keeps an equal share of the pairs: the mean stays unbiased and
its variance can be estimated. A pair keeps its orientation in every design, and a larger design of the same
seed holds the smaller one where M is a multiple of n, so that paid judgments are reused when a user asks for more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from diversity_judge.errors import InputError

Orders = Literal["one", "both"]
ORDERS: tuple[Orders, ...] = ("one", "both")

MOST_PAIRS = 20_000
"""Unordered pairs of a group that are judged without a second thought: those of 200 responses. The number grows with
the square of the responses, so that one large group can cost more than all others together."""


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

    def plan(self, n: int) -> PlannedPairs:
        """All judgments wanted of a group of n responses, those with the same first response together."""
        full = n * (n - 1) // 2
        circulant = _circulant(n, full if self.pairs_per_group is None else self.pairs_per_group, self.seed)
        return PlannedPairs(n, circulant, is_both=self.orders == "both", draws=self.draws)


class PlannedPairs(Sequence[Pair]):
    """The judgments wanted of a group, in order of the first response; made as they are asked for.

    The pairs of ten thousand responses would take gigabytes, and what is asked of them is mostly arithmetic by row.
    Those of a group of usual size are kept, since they are gone through many times.

    Args:
        n: Number of responses.
        circulant: Which unordered pairs.
        is_both: Each of them in both orders.
        draws: Repeated judgments of each ordered pair.
    """

    def __init__(self, n: int, circulant: Circulant, *, is_both: bool, draws: int) -> None:
        self.n = n
        self.draws = draws
        self._steps = np.array(sorted(circulant.differences), dtype=np.int64)
        edges = [*circulant.edges, *((second, first) for first, second in circulant.edges if is_both)]
        if is_both:
            self._steps = np.concatenate([self._steps, -self._steps])
        self._others: dict[int, list[int]] = defaultdict(list)
        for first, second in edges:
            self._others[first].append(second)
        self._length = draws * (n * len(self._steps) + len(edges))

    def seconds(self, first: int) -> NDArray[np.int64]:
        """(m,) the responses that stand second where this one stands first, in order; each is judged `draws` times."""
        found = (first + self._steps) % self.n
        if first in self._others:
            found = np.concatenate([found, self._others[first]])
        return np.sort(found)

    def rows(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each response that stands first, with its `seconds`."""
        return ((first, self.seconds(first)) for first in range(self.n))

    def __len__(self) -> int:
        """Number of judgments wanted."""
        return self._length

    def __iter__(self) -> Iterator[Pair]:
        """The pairs in order."""
        return iter(self._kept) if self._length <= MOST_PAIRS else self._made()

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | Sequence[Pair]:
        """A pair, or some of them."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        at = range(self._length)[index]
        first = int(np.searchsorted(self._ends, at, side="right"))
        place = at - (int(self._ends[first - 1]) if first else 0)
        return Pair(first, int(self.seconds(first)[place // self.draws]), place % self.draws)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """(n,) where the row of each first response ends."""
        counts = [len(self._steps) + len(self._others.get(first, ())) for first in range(self.n)]
        return np.cumsum(np.array(counts, dtype=np.int64)) * self.draws

    @cached_property
    def _kept(self) -> tuple[Pair, ...]:
        return tuple(self._made())

    def _made(self) -> Iterator[Pair]:
        for first, seconds in self.rows():
            for second in seconds.tolist():
                for draw in range(self.draws):
                    yield Pair(first, second, draw)


@dataclass(frozen=True)
class Circulant:
    """Unordered pairs of n responses, oriented: whole differences, and single pairs besides.

    Attributes:
        differences: Each d below n/2 stands for the n pairs (i, i + d mod n).
        edges: Further pairs (first, second).
    """

    differences: frozenset[int]
    edges: tuple[tuple[int, int], ...]


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
    planned = PlannedPairs(n, _circulant(n, m, seed), is_both=False, draws=1)
    return [(pair.first, pair.second) for pair in planned]


def _circulant(n: int, m: int, seed: int) -> Circulant:
    # Difference 1 comes last: its cycle passes through all responses, so any part of it can be taken evenly.
    below_half = (n - 1) // 2
    if 2 * m >= n * (n - 1):
        tie = tuple((i, i + n // 2) for i in range(n // 2)) if n % 2 == 0 else ()
        return Circulant(frozenset(range(1, below_half + 1)), tie)
    rng = np.random.default_rng([seed, n])
    differences = [int(d) for d in rng.permutation(np.arange(2, below_half + 1))] + [1]
    whole, rest = divmod(m, n)
    return Circulant(frozenset(differences[:whole]), tuple(_part_of_a_difference(n, rest)))


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
