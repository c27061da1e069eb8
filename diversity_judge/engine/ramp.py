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
