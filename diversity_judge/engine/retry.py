"""What is asked again, how often and after which wait: the one place where that is decided.

Replies that never came (limits, server errors, broken connections) cost nothing and are asked for patiently.
Replies without a score were paid for, so they are asked for again only a few times; so is a completion that cannot be
read, since nobody knows whether it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from diversity_judge.engine.options import EngineOptions
from diversity_judge.judges.base import CallError, TransientError
from diversity_judge.rubric import Missing

ASKED_AGAIN = frozenset(
    {Missing.UNPARSABLE, Missing.UNFINISHED, Missing.EMPTY, Missing.HOST_EXHAUSTED, Missing.MALFORMED}
)
"""Reasons for which a reply without a score is asked for again; a truncated one would be cut at the same place."""

_ATTEMPTS_BEFORE_FIRST_CONTACT = 4
"""A host that has never answered in this run is given up sooner: its address is likely wrong."""


class UnusableReplyError(CallError):
    """A reply came and was kept, but holds no score.

    Attributes:
        count: How many such replies this judgment has had in this run, this one included.
    """

    def __init__(self, reason: str, message: str, *, count: int) -> None:
        super().__init__(reason, message)
        self.count = count


def retrying(
    options: EngineOptions, *, sleep: Callable[[float], Awaitable[None]], has_contact: Callable[[], bool]
) -> AsyncRetrying:
    """Make the policy for one judgment, to be used with `async for attempt in ...`.

    Args:
        options: Attempts, waits and times.
        sleep: Waits between attempts; may return early.
        has_contact: Whether the host has answered anything in this run.
    """
    backoff = wait_random_exponential(multiplier=options.retry_wait_s, max=options.retry_max_wait_s)

    def wait(state: RetryCallState) -> float:
        error = _error(state)
        asked_for = error.retry_after_s if isinstance(error, TransientError) else None
        # What the host asks for is the least; the jitter on top keeps the calls from coming back all at once.
        return (asked_for or 0.0) + backoff(state)

    def stop(state: RetryCallState) -> bool:
        error = _error(state)
        if isinstance(error, UnusableReplyError):
            is_enough = error.count >= options.max_unusable or state.attempt_number >= options.max_attempts
            return is_enough or error.reason not in ASKED_AGAIN
        if isinstance(error, TransientError) and error.reason == Missing.CONNECTION and not has_contact():
            return state.attempt_number >= min(options.max_attempts, _ATTEMPTS_BEFORE_FIRST_CONTACT)
        too_late = (state.seconds_since_start or 0.0) + wait(state) > options.retry_time_s
        return state.attempt_number >= options.max_attempts or too_late

    return AsyncRetrying(
        stop=stop,
        wait=wait,
        sleep=sleep,
        retry=retry_if_exception_type((TransientError, UnusableReplyError)),
        reraise=True,
    )


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
