"""Which ordered pairs of a group's responses the judge is asked about, and why these.

With one judgment an unordered pair the orientation is balanced (each response stands first as often as
second), so that a position bias of the judge cannot favour early samples.

A thinned design lays the responses in a random order (`lots`: by a hash of the seed, the group and the text, so that
neither the content nor the order of the file has a say) and takes the pairs of neighbours in it, then those at distance
2, and so on around the circle. Each response keeps an equal share of the pairs: the mean stays unbiased and its
variance can be estimated. A larger M holds the pairs of a smaller one, in the same orientation, so that paid judgments
are found again when a user asks for more, and a response more or less moves few of the others' pairs.

All pairs are oriented by the positions in the file, where about half of a thinned design's pairs stand the other way
round; whoever has bought a thinned design gets them as it orients them (`engine/as_bought.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from diversity_judge.choices import MOST_PAIRS, Orders
from diversity_judge.errors import InputError


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
        seed: Of the random order in which a thinned design lays the responses.
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

    def is_thinned(self, n: int) -> bool:
        """Whether only some of the pairs of n responses are judged."""
        return self.pairs_per_group is not None and 2 * self.pairs_per_group < n * (n - 1)

    def plan(self, n: int, order: Sequence[int] | None = None) -> PlannedPairs:
        """All judgments wanted of a group of n responses, those with the same first response together.

        Args:
            n: Number of responses.
            order: The n positions in the order in which a thinned design lays them; None: in an order that the seed
                draws, for responses that are no more than their positions.
        """
        is_both = self.orders == "both"
        if self.pairs_per_group is None or not self.is_thinned(n):
            return PlannedPairs(n, _all_pairs(n), is_both=is_both, draws=self.draws)
        laid = _drawn_order(n, self.seed) if order is None else order
        return PlannedPairs(n, _circulant(n, self.pairs_per_group), is_both=is_both, draws=self.draws, order=laid)

    def plan_all_laid(self, n: int, order: Sequence[int]) -> PlannedPairs:
        """All pairs, oriented as a thinned design orients them: its pairs are among these.

        Args:
            n: Number of responses.
            order: The n positions in the order in which a thinned design lays them.
        """
        return PlannedPairs(n, _all_pairs(n), is_both=self.orders == "both", draws=self.draws, order=order)


class PlannedPairs(Sequence[Pair]):
    """The judgments wanted of a group, in order of the first response; made as they are asked for.

    The pairs of ten thousand responses would take gigabytes, and what is asked of them is mostly arithmetic by row.
    Those of a group of usual size are kept, since they are gone through many times.

    Args:
        n: Number of responses.
        circulant: Which unordered pairs of places on the circle.
        is_both: Each of them in both orders.
        draws: Repeated judgments of each ordered pair.
        order: The response at each place; None: each stands at its own position.
    """

    def __init__(
        self, n: int, circulant: Circulant, *, is_both: bool, draws: int, order: Sequence[int] | None = None
    ) -> None:
        self.n = n
        self.draws = draws
        self._response_at = np.arange(n) if order is None else np.array(order, dtype=np.int64)
        self._place_of = np.argsort(self._response_at)
        self._steps = np.array(sorted(circulant.differences), dtype=np.int64)
        edges = [*circulant.edges, *((second, first) for first, second in circulant.edges if is_both)]
        if is_both:
            self._steps = np.concatenate([self._steps, -self._steps])
        self._others: dict[int, list[int]] = defaultdict(list)
        for first, second in self._response_at[np.array(edges, dtype=np.int64).reshape(-1, 2)].tolist():
            self._others[first].append(second)
        self._length = draws * (n * len(self._steps) + len(edges))

    def seconds(self, first: int) -> NDArray[np.int64]:
        """(m,) the responses that stand second where this one stands first, in order; each is judged `draws` times."""
        found = self._response_at[(self._place_of[first] + self._steps) % self.n]
        if first in self._others:
            found = np.concatenate([found, self._others[first]])
        return np.sort(found)

    def rows(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each response that stands first, with its `seconds`."""
        return ((first, self.seconds(first)) for first in range(self.n))

    def row(self, first: int) -> slice:
        """Where the judgments with this response first stand in the plan."""
        return slice(int(self._ends[first - 1]) if first else 0, int(self._ends[first]))

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
        place = at - self.row(first).start
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
    """Unordered pairs of n places on a circle, oriented: whole differences, and single pairs besides.

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
    """A balanced design of m of the n(n-1)/2 unordered pairs, oriented, of positions in a random order.

    A difference d gives the n pairs (i, i + d mod n) of places on the circle, in which each response occurs twice, once
    in each place (n/2 pairs for d = n/2). Since the order is random the differences need not be. Of the last difference
    only a part is taken, every second pair of its cycles first, so that the numbers of pairs a response differ by one
    at most. Only where its cycles are several of odd length they may differ by two; such differences come last.

    Args:
        n: Number of responses.
        m: Number of unordered pairs wanted; all of them when m is n(n-1)/2 or more.
        seed: Of the order.

    Returns:
        m ordered pairs (first, second), sorted. With the same seed those of a smaller m are among them, unless all
        pairs are wanted.
    """
    return [(pair.first, pair.second) for pair in PairDesign(pairs_per_group=m, seed=seed).plan(n)]


def _drawn_order(n: int, seed: int) -> list[int]:
    order: list[int] = np.random.default_rng([seed, n]).permutation(n).tolist()
    return order


def _all_pairs(n: int) -> Circulant:
    return Circulant(frozenset(range(1, (n - 1) // 2 + 1)), tuple(_cycles(n, n // 2)) if n % 2 == 0 else ())


def _circulant(n: int, m: int) -> Circulant:
    """The first m pairs, difference by difference."""
    whole: set[int] = set()
    edges: list[tuple[int, int]] = []
    for difference in sorted(range(1, n // 2 + 1), key=lambda d: (_has_several_odd_cycles(n, d), d)):
        left = m - n * len(whole) - len(edges)
        if left <= 0:
            break
        if left >= n and 2 * difference != n:
            whole.add(difference)
        else:
            edges += _cycles(n, difference)[:left]
    return Circulant(frozenset(whole), tuple(edges))


def _has_several_odd_cycles(n: int, difference: int) -> bool:
    cycles = gcd(n, difference)
    return cycles > 1 and n // cycles % 2 == 1


def _cycles(n: int, difference: int) -> list[tuple[int, int]]:
    """All pairs at this distance around the circle: every second one of each cycle, then those between them."""
    cycles = gcd(n, difference)
    length = n // cycles
    if length == 2:  # The tie n/2 is its own reverse.
        steps: list[int] = [0]
    elif length % 2 == 0:
        steps = [*range(0, length, 2), *range(1, length, 2)]
    else:  # One response of the cycle is left over by every second pair; the next pair is its first.
        steps = [*range(0, length - 1, 2), length - 2, *range(1, length - 3, 2), length - 1]
    starts = [(cycle + step * difference) % n for step in steps for cycle in range(cycles)]
    return [(start, (start + difference) % n) for start in starts]
