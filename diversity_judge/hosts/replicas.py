"""Several addresses that serve one model, called as one host: the least busy first, alike beginnings kept together.

Prompts that begin alike go where the first of them went, since that replica's prefix cache holds their beginning, as
long as it is not much busier than another. A replica that fails rests, longer each time, and is then tried with one
call; meanwhile the others do its work. What failed is asked again by whoever called, as everywhere.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diversity_judge.hosts.calls import TransientError
from diversity_judge.hosts.client import HostClient

_LONGEST_REST_S = 60.0
_MOST_DOUBLINGS = 10
_BUSIER = 16
"""Calls by which a replica may be ahead of the least busy and still get those that begin alike: about half of them."""

_BEGINNINGS_KEPT = 10_000


@dataclass(eq=False)
class _Replica:
    """One address, and how it does.

    Attributes:
        client: By which it is called.
        in_flight: Calls that it is working on.
        failures: Times that it failed since it last answered; calls that fail while it rests already add none.
        rests_until: It is left alone before (the loop's clock).
    """

    client: HostClient
    in_flight: int = 0
    failures: int = 0
    rests_until: float = 0.0

    def is_ready(self, now: float) -> bool:
        """Whether it may be called; one that has failed is tried with one call at a time."""
        return self.failures == 0 or (self.rests_until <= now and self.in_flight == 0)

    def fail(self, now: float, at_least_s: float) -> None:
        """Rest for as long as the host says, and twice as long as the last time."""
        if self.rests_until <= now:
            self.failures = min(self.failures + 1, _MOST_DOUBLINGS)
        rest = max(at_least_s, min(_LONGEST_REST_S, 2.0**self.failures))
        self.rests_until = max(self.rests_until, now + rest)


class Replicas:
    """The addresses of one host.

    Args:
        clients: One an address; at least one.
    """

    def __init__(self, clients: Sequence[HostClient]) -> None:
        self._replicas = [_Replica(client) for client in clients]
        self._of_beginning: OrderedDict[Hashable, _Replica] = OrderedDict()

    async def post(self, path: str, body: Mapping[str, Any], *, beginning: Hashable) -> str:
        """Send JSON to one of them, get the reply's text.

        Args:
            path: Below the base URL.
            body: What is sent.
            beginning: The same for prompts that begin alike.

        Raises:
            CallError: there is no reply; the subclass says what to do about it.
        """
        clock = asyncio.get_running_loop().time
        replica = self._choose(beginning, clock())
        replica.in_flight += 1
        try:
            text = await replica.client.post(path, body)
        except TransientError as error:
            replica.fail(clock(), error.retry_after_s or 0.0)
            raise
        finally:
            replica.in_flight -= 1
        replica.failures = 0
        return text

    async def close(self) -> None:
        """Close the connections."""
        for replica in self._replicas:
            await replica.client.close()

    def _choose(self, beginning: Hashable, now: float) -> _Replica:
        ready = [replica for replica in self._replicas if replica.is_ready(now)]
        if not ready:  # All have failed: the next to be tried again is.
            return min(self._replicas, key=lambda replica: (replica.rests_until, replica.in_flight))
        least_busy = min(ready, key=lambda replica: replica.in_flight)
        chosen = self._of_beginning.get(beginning, least_busy)
        if chosen not in ready or chosen.in_flight > least_busy.in_flight + _BUSIER:
            chosen = least_busy
        self._of_beginning[beginning] = chosen
        self._of_beginning.move_to_end(beginning)
        if len(self._of_beginning) > _BEGINNINGS_KEPT:
            self._of_beginning.popitem(last=False)
        return chosen
