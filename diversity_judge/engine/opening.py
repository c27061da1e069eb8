"""When calls may be sent: at once, or only at the hours at which the host takes less for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from diversity_judge.judges.cheap_hours import CheapHours

Clock = Callable[[], datetime]
"""Says what time it is, with a time zone."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(timezone.utc)


class Opening:
    """Says how long to wait before the next call, and to a person until when.

    Args:
        hours: Those that are waited for; None: calls are sent at any time.
        say: Gets a sentence when the waiting begins.
        clock: What time it is.
    """

    def __init__(
        self, hours: CheapHours | None, *, say: Callable[[str], None] = lambda said: None, clock: Clock = utc_now
    ) -> None:
        self._hours = hours
        self._say = say
        self._clock = clock
        self._said: datetime | None = None

    def wait_s(self) -> float:
        """Seconds until a call may be sent; 0 where it may be sent now."""
        if self._hours is None:
            return 0.0
        now = self._clock()
        opens = self._hours.next_cheap(now)
        if opens <= now:
            return 0.0
        if opens != self._said:
            self._said = opens
            self._say(
                f"waiting for the cheap hours, until {opens:%A %H:%M} UTC ({opens.astimezone():%H:%M} here); Ctrl-C "
                "stops, and the same command goes on"
            )
        return (opens - now).total_seconds()
