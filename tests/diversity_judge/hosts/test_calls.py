"""What an HTTP status means: the table of the module's docstring, status by status."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from diversity_judge.hosts.calls import (
    FatalError,
    Meaning,
    TransientError,
    error_of_status,
    meaning_of,
    retry_after_s,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
MEANINGS = {
    Meaning.TRANSIENT: (408, 409, 425, 429, 500, 502, 503, 504, 520, 529),
    Meaning.REJECTED: (400, 403, 406, 413, 415, 418, 422, 451),
    Meaning.FATAL: (300, 301, 302, 307, 308, 401, 402, 404, 405, 407),
}


@pytest.mark.parametrize("meaning", MEANINGS)
def test_every_status_has_its_meaning(meaning: Meaning) -> None:
    assert {meaning_of(status) for status in MEANINGS[meaning]} == {meaning}


def test_a_success_is_no_error() -> None:
    with pytest.raises(ValueError, match="success"):
        meaning_of(204)


def test_overload_and_the_wait_that_was_asked_for_are_kept() -> None:
    error = error_of_status(429, "slow down", host="h", model="m", key_name=None, retry_after_s=7200.0)
    assert isinstance(error, TransientError)
    assert (error.overloaded, error.retry_after_s, error.reason) == (True, 7200.0, "http_429")


def test_advice_names_the_variable_or_says_that_none_was_named() -> None:
    named = error_of_status(401, "no", host="h", model="m", key_name="MINE")
    without = error_of_status(401, "no", host="h", model="m", key_name=None)
    assert isinstance(named, FatalError)
    assert "MINE" in str(named)
    assert "--api-key-env" in str(without)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7200", 7200.0), ("0.5", 0.5), ("-3", 0.0), ("nan", 0.0), ("1e9", 1e9),
        ("Thu, 01 Jan 2026 14:00:00 GMT", 7200.0), ("Thu, 01 Jan 2026 10:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 14:00:00 -0000", None), ("Thu, 01 Jan 99999999999 14:00:00 GMT", None),
        ("tomorrow", None), ("", None), ("1 2", None),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date_and_has_no_cap(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}, NOW) == seconds
