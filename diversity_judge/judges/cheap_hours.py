"""Hosts that take less for a call at some hours: when these are, and what a call costs then."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_MINUTES_A_DAY = 24 * 60
_SATURDAY = 5


@dataclass(frozen=True)
class CheapHours:
    """The hours outside a host's peak.

    Attributes:
        price_share: Of the price at the peak.
        peak_utc: Hours of the peak as `HH:MM-HH:MM` in UTC, the end not included; one that ends before it begins goes
            past midnight.
        cheap_weekends: Whether Saturdays and Sundays (UTC) have no peak.
        as_of: When this was read; hosts change it.
    """

    price_share: float
    peak_utc: Sequence[str]
    cheap_weekends: bool = False
    as_of: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no such hours.

        Raises:
            ValueError: the share is none, or a time is not of the form.
        """
        share = self.price_share
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ValueError(f"off_peak price_share must be a number from 0 to 1, not {share!r}")
        if isinstance(self.peak_utc, str) or not self.peak_utc:
            raise ValueError(f"off_peak peak_utc must be a list of times, not {self.peak_utc!r}")
        for hours in self.peak_utc:
            if not isinstance(hours, str) or _TIME.fullmatch(hours) is None:
                raise ValueError(f"off_peak peak_utc {hours!r} is not of the form HH:MM-HH:MM")

    def is_cheap(self, moment: datetime) -> bool:
        """Whether a call at this moment (with its time zone) costs less."""
        utc = moment.astimezone(timezone.utc)
        if self.cheap_weekends and utc.weekday() >= _SATURDAY:
            return True
        minute = utc.hour * 60 + utc.minute
        return not any(_is_within(minute, *_minutes(hours)) for hours in self.peak_utc)

    def share(self, *moments: datetime) -> float:
        """Of the price: what a call costs that began and ended at these moments; the whole if any is in the peak."""
        return self.price_share if all(self.is_cheap(moment) for moment in moments) else 1.0

    def next_cheap(self, moment: datetime) -> datetime:
        """The moment itself where it is cheap, else the end of the peak."""
        if self.is_cheap(moment):
            return moment
        utc = moment.astimezone(timezone.utc).replace(second=0, microsecond=0)
        for minutes in range(1, 7 * _MINUTES_A_DAY):
            if self.is_cheap(later := utc + timedelta(minutes=minutes)):
                return later
        return moment  # The peak never ends: waiting for its end would.


def _minutes(hours: str) -> tuple[int, int]:
    matched = _TIME.fullmatch(hours)
    if matched is None:  # They were checked when they were made.
        raise ValueError(hours)
    start_hour, start_minute, end_hour, end_minute = map(int, matched.groups())
    return start_hour * 60 + start_minute, end_hour * 60 + end_minute


def _is_within(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end
