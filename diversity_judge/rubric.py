"""The rubric's scale, the marks around a model's thinking, and the words for a score that is missing.

Said once, because a matrix, a prompt's parser, a picture and a table must mean the same by them.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

MAX_SCORE = 5
"""The highest similarity: the same approach in other words. The lowest is 0."""

SCORES = range(MAX_SCORE + 1)
"""All scores that a judge may give."""

MEANINGS = (
    "completely different methods and approaches",
    "slightly similar direction, but different methods",
    "some steps in common, but a different overall approach",
    "similar core approach, with significant differences in specific steps",
    "essentially the same approach, with minor differences in detail or order",
    "essentially the same approach, only the wording differs",
)
"""What each score means, as the shipped template says it: for people who judge."""

THINK_START = "<think>"
THINK_END = "</think>"
"""Between these a model thinks; what follows the last closing mark is its answer. The opening one may be missing, as
models are often prompted with it."""

_QUOTES = "`'\""

_NO_LETTER = re.compile(r"[^a-z]+")


class Missing(str, Enum):
    """Why a wanted judgment has no score; the value is the word in the tables and in the ledger.

    A host's refusal stands there by its HTTP status (`http_422`), so a reason is a text and not always one of these.
    """

    NOT_JUDGED = "not_judged"
    NO_SUMMARY = "no_summary"
    TRUNCATED = "truncated"
    UNFINISHED = "unfinished"
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


_BROKEN_OFF = {
    # OpenAI, vLLM, DeepSeek; Anthropic, Bedrock, Gemini, Cohere; OpenAI's Responses; Mistral and inspect_ai; watsonx;
    # text-generation servers and older APIs.
    **dict.fromkeys(
        (
            "length", "max_tokens", "max_output_tokens", "model_length", "token_limit", "max_length", "max_new_tokens",
            "max_completion_tokens", "max_tokens_reached", "max_tokens_limit", "length_limit", "length_capped",
            "context_length", "context_length_exceeded", "context_window_exceeded", "model_context_window_exceeded",
            "error_limit", "truncated", "incomplete",
        ),
        Missing.TRUNCATED,
    ),
    # OpenAI; Bedrock; Azure; Gemini; Anthropic; Cohere; Zhipu.
    **dict.fromkeys(
        (
            "content_filter", "content_filtered", "guardrail_intervened", "safety", "recitation", "blocklist",
            "prohibited_content", "spii", "refusal", "error_toxic", "sensitive",
        ),
        Missing.CONTENT_FILTER,
    ),
    "insufficient_system_resource": Missing.HOST_EXHAUSTED,
    # Our own word for a completion in which there is no message, as it is kept.
    "malformed": Missing.MALFORMED,
}  # fmt: skip
"""Finish reasons of texts that did not come to their end, and what the tables call them."""


def with_thinking(thinking: str | None, answer: str) -> str:
    """A response whose thinking came apart from its answer, as one text; without an answer the thought stays open."""
    if not thinking or thinking.isspace():
        return answer
    return f"{THINK_START}{thinking}{THINK_END}\n{answer}" if answer.strip() else f"{THINK_START}{thinking}"


def split_thinking(text: str) -> tuple[str | None, str]:
    """The thinking of a text with its opening mark, and what follows it.

    Marks do not nest: models repeat an opening mark that their prompt has given already, and speak of marks while they
    think. The thinking ends at the last closing mark. Where an opening mark comes after that, or there is no closing
    one, the text is all thinking, whatever stands before the mark: what looks like an answer there is a draft. A mark
    in quotes is spoken of and marks nothing. A text without marks has no thinking (None). Time is linear in the text.
    """
    if "<" not in text:  # Many times faster to say than that no mark is there.
        return None, text
    end = _last_mark(text, THINK_END)
    if _last_mark(text, THINK_START) > end:
        return text, ""
    return (None, text) if end < 0 else (text[:end], text[end + len(THINK_END) :])


def is_unfinished(text: str) -> bool:
    """Whether a text opens a thought that it never closes, so that it was broken off while thinking."""
    return "<" in text and _last_mark(text, THINK_START) > _last_mark(text, THINK_END)


@lru_cache(maxsize=64)
def broken_off(finish_reason: str | None) -> Missing | None:
    """Why a text did not come to its end, by its host's word for it in any spelling; None where it did or nobody said.

    Args:
        finish_reason: `finish_reason`, `stop_reason` or `finishReason` of an API, or `FinishReason.MAX_TOKENS` of an
            SDK.
    """
    if finish_reason is None:
        return None
    return _BROKEN_OFF.get(_NO_LETTER.sub("_", finish_reason.rpartition(".")[2].strip().lower()))


def _last_mark(text: str, mark: str) -> int:
    """Where the last mark that is not in quotes stands, -1 where there is none."""
    at = text.rfind(mark)
    while at > 0 and text[at - 1] in _QUOTES and text[at + len(mark) : at + len(mark) + 1] == text[at - 1]:
        at = text.rfind(mark, 0, at)
    return at
