"""When which call is sent: those that share their first text together, the first of them a little ahead.

A host's prefix cache can serve the shared part (instructions and first text) only after it has read it once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from diversity_judge.planning.question import Question


def bundles(tasks: Iterable[Question]) -> Iterator[list[Question]]:
    """Group consecutive tasks whose prompts begin alike: of pairs, those that share their first response."""
    for _, tasks_of_one in groupby(tasks, key=lambda task: task.bundle):
        yield list(tasks_of_one)


class PrefixSchedule:
    """Hands out the leaders of bundles, and their followers once the lead has passed.

    Followers that are ready come before new leaders, so that few bundles are open at a time; new leaders come first
    while few followers are left, so that no slot waits for a lead to pass.

    Args:
        lead_s: Seconds between a leader and its followers.
        stock: Followers that are to be left when a new bundle is begun: as many as go out during a lead.
    """

    def __init__(self, lead_s: float, stock: int = 0) -> None:
        self._lead_s = lead_s
        self._stock = stock
        self._n_following = 0
        self._waiting: deque[list[Question]] = deque()
        self._following: deque[tuple[float, deque[Question]]] = deque()

    def add(self, bundle: Sequence[Question]) -> None:
        """Queue a bundle."""
        if bundle:
            self._waiting.append(list(bundle))

    @property
    def needs_bundles(self) -> bool:
        """Whether no bundle is left to be begun."""
        return not self._waiting

    def next(self, now: float) -> Question | None:
        """The task to send now, or None when there is none (yet).

        Args:
            now: Seconds on a monotonic clock.
        """
        has_stock = self._n_following >= self._stock or not self._waiting
        if has_stock and self._following and self._following[0][0] <= now:
            self._n_following -= 1
            followers = self._following[0][1]
            task = followers.popleft()
            if not followers:
                self._following.popleft()
            return task
        if not self._waiting:
            return None
        leader, *rest = self._waiting.popleft()
        if rest:
            self._following.append((now + self._lead_s, deque(rest)))
            self._n_following += len(rest)
        return leader

    def wait_s(self, now: float) -> float | None:
        """Seconds until a follower is ready, None when nothing is left."""
        return max(0.0, self._following[0][0] - now) if self._following else None

    def drain(self) -> Iterator[Question]:
        """All tasks that were never handed out."""
        for _, followers in self._following:
            yield from followers
        for bundle in self._waiting:
            yield from bundle


class Ramp:
    """Spreads the first calls evenly over some seconds; later ones go out when a slot is free.

    Calls that are sent together are answered together, and each then waits while the others' replies are read, kept and
    followed by the next call. Where a host takes equally long for all of them they stay together to the end of the run:
    every slot is idle for half of the time that a whole wave's work takes. Spread evenly they never meet. The host,
    too, is not met by all connections at once.

    Args:
        calls: How many are spread: as many as there are slots.
        seconds: Over how long.
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self._left = calls
        self._gap_s = seconds / calls
        self._next_at = float("-inf")

    def wait_s(self, now: float) -> float:
        """Seconds until the next call may be sent; each question is about one more call.

        Args:
            now: Seconds on a monotonic clock.
        """
        if self._left == 0:
            return 0.0
        self._left -= 1
        # What a hold-up (the first call imports an HTTP library) has made late is not made up for in a burst.
        at = max(now, self._next_at)
        self._next_at = at + self._gap_s
        return at - now
