"""What comes back from a batch: a line a call, in the form of providers or of vLLM, in any order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.hosts.calls import CallError, error_of_status
from diversity_judge.hosts.completion import OddCompletionError, read_completion
from diversity_judge.judges.base import Reply
from diversity_judge.judges.chat_format import reply_of
from diversity_judge.ledger import Failure
from diversity_judge.rubric import Missing
from diversity_judge.text_safety import printable

_FIRST_FAILURE = 400
_SAID_AT_MOST = 300


@dataclass(frozen=True)
class ResultLine:
    """One line.

    Attributes:
        key: The judgment's: the line's `custom_id`.
        outcome: A reply, as a live call's would be kept, or why there is none.
    """

    key: str
    outcome: Reply | Failure


@dataclass(frozen=True)
class BadLine:
    """A line that is no result, such as the last one of a download that was cut."""

    where: str
    what: str


def read_results(path: Path, *, host: str, model: str) -> Iterator[ResultLine | BadLine]:
    """Read a file of results line by line.

    Both forms are the same in what matters: `custom_id`, and either `response` with a `status_code` and a `body` that
    is a completion, or an `error`. A completion that nobody can read a message from is kept as well: it was paid for.

    Args:
        path: The file.
        host: Who answered, for messages.
        model: Which was asked, for messages.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _read(line, f"{path}:{number}", host, model)
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error}") from error


def _read(line: bytes, where: str, host: str, model: str) -> ResultLine | BadLine:
    try:
        value = json.loads(line.decode("utf-8"))
        key = value["custom_id"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        return BadLine(where, printable(f"{type(error).__name__}: {error}", 120))
    if not isinstance(key, str):
        return BadLine(where, "its custom_id is no text")
    return result_of(value, host=host, model=model)


def result_of(value: Mapping[str, Any], *, host: str, model: str) -> ResultLine:
    """One line that is parsed already and names its call; see `read_results`."""
    return ResultLine(str(value["custom_id"]), _outcome(value, host, model))


def _outcome(value: Mapping[str, Any], host: str, model: str) -> Reply | Failure:
    response = value.get("response")
    body = response.get("body") if isinstance(response, Mapping) else None
    status = response.get("status_code") if isinstance(response, Mapping) else None
    if isinstance(status, int) and not isinstance(status, bool) and status >= _FIRST_FAILURE:
        error = error_of_status(status, _said(value.get("error") or body), host=host, model=model, key_name=None)
        return _failure(error)
    if value.get("error") or not isinstance(body, Mapping):
        return Failure(Missing.MALFORMED, _said(value.get("error")) or "the line holds no completion", 1)
    try:
        return reply_of(read_completion(json.dumps(body)), 0.0)
    except OddCompletionError as error:
        return reply_of(error.kept, 0.0)
    except CallError as error:
        return _failure(error)


def _failure(error: CallError) -> Failure:
    return Failure(error.reason, printable(str(error), _SAID_AT_MOST), 1)


def _said(value: Any) -> str:
    """A provider's words: `{"message": ...}`, a text, or whatever it is as JSON."""
    while isinstance(value, Mapping) and ("message" in value or "error" in value):
        value = value["message"] if "message" in value else value["error"]
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else json.dumps(value), _SAID_AT_MOST)
