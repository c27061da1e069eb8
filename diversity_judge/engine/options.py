"""The limits within which judgments are bought."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from diversity_judge.errors import InputError

DEFAULT_CONCURRENCY = 64
DEFAULT_DEADLINE_S = 30 * 60.0
PREFIX_LEAD_S = 1.0
"""Long enough for a host to have read a shared text once, short against the minutes that a reasoning judge takes."""

ASK_ABOVE_USD = 5.0
"""Nobody minds a run of this price that was not meant."""
When = Literal["now", "cheap"]
WHEN: tuple[When, ...] = ("now", "cheap")


@dataclass(frozen=True)
class EngineOptions:
    """How fast, how often and how much.

    Attributes:
        concurrency: Most calls at a time; adapts below it.
        deadline_s: Total seconds a call may take.
        max_attempts: Most calls for one judgment, whatever comes back.
        max_unusable: Most paid replies without a score for one judgment in one run: each of them costs.
        retry_wait_s: First wait before asking again; doubles each time, with jitter.
        retry_max_wait_s: Longest wait, unless the host asks for a longer one.
        retry_time_s: Seconds after which a judgment is no longer asked again.
        max_calls: Most calls of this run, or None.
        max_cost_usd: Most USD of this run, or None.
        yes: Whether the user has agreed to whatever the run costs.
        ask_above_usd: A run that will likely cost more needs `yes`, a limit on its cost, or an answer at the terminal.
        when: `cheap` waits for the hours at which the host takes less; `now` doesn't.
        prefix_lead_s: Seconds by which the first call of those that share their first text goes ahead.
        grace_s: Seconds that calls in flight get after an interrupt.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    deadline_s: float = DEFAULT_DEADLINE_S
    max_attempts: int = 8
    max_unusable: int = 3
    retry_wait_s: float = 1.0
    retry_max_wait_s: float = 60.0
    retry_time_s: float = 60 * 60.0
    max_calls: int | None = None
    max_cost_usd: float | None = None
    yes: bool = False
    ask_above_usd: float = ASK_ABOVE_USD
    when: When = "now"
    prefix_lead_s: float = PREFIX_LEAD_S
    grace_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name in ("concurrency", "max_attempts", "max_unusable"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        if not self.deadline_s > 0:
            raise InputError(f"--deadline must be more than 0 seconds, not {self.deadline_s:g}")
        if self.max_calls is not None and self.max_calls < 0:
            raise InputError(f"--max-calls must not be negative, not {self.max_calls}")
        if self.max_cost_usd is not None and not self.max_cost_usd >= 0:
            raise InputError(f"--max-cost must not be negative, not {self.max_cost_usd}")
        if not self.ask_above_usd >= 0:
            raise InputError(f"--ask-above must not be negative, not {self.ask_above_usd}")

    @property
    def ramp_s(self) -> float:
        """Seconds over which the first calls of a run, which all go ahead of others, are spread evenly.

        Half a lead: what is lost at the start is lost at the end once more, and the work on a wave of replies takes
        less than that.
        """
        return self.prefix_lead_s / 2

    def after(self, calls: int, cost_usd: float) -> EngineOptions:
        """The same, the limits without what an earlier part of the run took."""
        return replace(
            self,
            max_calls=None if self.max_calls is None else max(0, self.max_calls - calls),
            max_cost_usd=None if self.max_cost_usd is None else max(0.0, self.max_cost_usd - cost_usd),
        )
