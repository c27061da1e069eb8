"""The rubric's scale, the marks around a model's thinking, and the words for a score that is missing.

Said once, because a matrix, a prompt's parser, a picture and a table must mean the same by them.
"""

from __future__ import annotations

from enum import Enum

MAX_SCORE = 5
"""The highest similarity: the same approach in other words. The lowest is 0."""

SCORES = range(MAX_SCORE + 1)
"""All scores that a judge may give."""

THINK_START = "<think>"
THINK_END = "</think>"
"""Between these a model thinks; what follows the last closing mark is its answer. The opening one may be missing, as
models are often prompted with it."""


class Missing(str, Enum):
    """Why a wanted judgment has no score; the value is the word in the tables and in the ledger.

    A host's refusal stands there by its HTTP status (`http_422`), so a reason is a text and not always one of these.
    """

    NOT_JUDGED = "not_judged"
    TRUNCATED = "truncated"
    UNPARSABLE = "unparsable"
    EMPTY = "empty"
    CONTENT_FILTER = "content_filter"
    HOST_EXHAUSTED = "insufficient_system_resource"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    MALFORMED = "malformed"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)


def with_thinking(thinking: str | None, answer: str) -> str:
    """A response whose thinking came apart from its answer, as one text."""
    return f"{THINK_START}{thinking}{THINK_END}\n{answer}" if thinking else answer


def split_thinking(text: str) -> tuple[str | None, str]:
    """The thinking of a text with its opening mark, and what follows it.

    The thinking ends at the last closing mark. A text that opens it and never closes it is all thinking; one without
    marks has none (None).
    """
    if "<" not in text:  # Many times faster to say than that no mark is there.
        return None, text
    thinking, end, answer = text.rpartition(THINK_END)
    if end:
        return thinking, answer
    return (text, "") if text.lstrip().startswith(THINK_START) else (None, text)
