"""The ways in which a call can fail, and what an HTTP status means: said once, for live calls and for batches.

Three things can be wrong. The host is busy or broken: the same call may succeed later (transient). The host does not
like this one request: others may be answered (rejected). Nobody's call can succeed until the user has done something
(fatal): going on would fail a hundred thousand calls one by one.

401 (key), 402 (balance), 404 (model or path), 405 and 407 (path, proxy) and redirects that lead elsewhere are fatal.
403 is not. Some hosts say it for a key without rights, but others for one refused text (a moderation flag, a
firewall that reads the body). Taken for fatal, that one text would end the run at the same place after every resume;
taken for this call's alone, a key without rights is still found, because a run whose first calls all fail stops.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum


class CallError(Exception):
    """A call that brought no reply. `reason` is the word that stands in the tables."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TransientError(CallError):
    """Worth asking again: a limit, a server error, a broken connection, a deadline.

    Attributes:
        overloaded: The host asks for less (429, 503): the concurrency goes down.
        retry_after_s: What the host asked to wait, in seconds, if it did.
    """

    def __init__(
        self, reason: str, message: str, *, overloaded: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason, message)
        self.overloaded = overloaded
        self.retry_after_s = retry_after_s


class RejectedError(CallError):
    """This one request was refused (400, 422); others may be answered."""


class FatalError(CallError):
    """No call can succeed until the user has done something (key, balance, model)."""


class Meaning(Enum):
    """What an HTTP status other than success says about this call and about others."""

    TRANSIENT = "transient"
    REJECTED = "rejected"
    FATAL = "fatal"


_TRANSIENT = frozenset({408, 409, 425, 429})
_FATAL = frozenset({401, 402, 404, 405, 407})
_OVERLOADED = frozenset({429, 503, 529})

ADVICE: Mapping[int, str] = {
    401: "{host} refuses the key: {key}",
    402: "the balance at {host} is used up: top it up, then run the same command again",
    404: "{host} does not serve the model {model!r}, or the base URL is wrong (it usually ends in /v1): check --model "
    "and --base-url",
    405: "{host} takes no such request at this path: check --base-url (it usually ends in /v1)",
    407: "the proxy before {host} asks for a name and a password: put them into the proxy's URL",
}


def meaning_of(status: int) -> Meaning:
    """What a status means; success (2xx) has no entry here.

    Raises:
        ValueError: the status is a success.
    """
    if 200 <= status < 300:
        raise ValueError(f"HTTP {status} is a success")
    if status in _TRANSIENT or status >= 500:
        return Meaning.TRANSIENT
    return Meaning.FATAL if status in _FATAL or status < 400 else Meaning.REJECTED


def error_of_status(
    status: int, said: str, *, host: str, model: str, key_name: str | None, retry_after_s: float | None = None
) -> CallError:
    """The error of a call that was answered with a status.

    Args:
        status: Other than success.
        said: The host's own words, without secrets.
        host: As it may be shown.
        model: Which was asked for.
        key_name: The environment variable that holds the key; None where no key was named.
        retry_after_s: What the host asked to wait.
    """
    reason = f"http_{status}"
    message = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    meaning = meaning_of(status)
    if meaning is Meaning.TRANSIENT:
        return TransientError(reason, message, overloaded=status in _OVERLOADED, retry_after_s=retry_after_s)
    if meaning is Meaning.REJECTED:
        return RejectedError(reason, message)
    key = f"check the one in {key_name}, and that it belongs there" if key_name else "name it with --api-key-env"
    advice = ADVICE.get(status, "{host} answers with a redirect that leads nowhere: check --base-url")
    return FatalError(reason, f"{advice.format(host=host, model=model, key=key)} ({message})")


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a host asks to wait: `Retry-After` as a number or as an HTTP date, None when it does not say."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
