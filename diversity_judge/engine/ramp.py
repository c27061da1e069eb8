"""The start of a run: its first calls one after the other, not all at once.

Calls that are sent together are answered together, and each then waits while the others' replies are read, kept and
followed by the next call. Where a host takes equally long for all of them they stay together to the end of the run:
every slot is idle for half of the time that a whole wave's work takes. Spread evenly they never meet. The host, too, is
not met by all connections at once.
"""

from __future__ import annotations


class Ramp:
    """Spreads the first calls evenly over some seconds; later ones go out when a slot is free.

    Args:
        calls: How many are spread: as many as there are slots.
        seconds: Over how long.
    """

    def __init__(self, calls: int, seconds: float) -> None:
        self._calls = calls
        self._gap_s = seconds / calls
        self._sent = 0
        self._began = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next call may be sent; each question is about one more call.

        Args:
            now: Seconds on a monotonic clock.
        """
        if self._sent == 0:
            self._began = now
        elif self._sent >= self._calls:
            return 0.0
        at = self._began + self._sent * self._gap_s
        self._sent += 1
        return max(0.0, at - now)
