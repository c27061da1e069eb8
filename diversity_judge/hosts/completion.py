"""What a completion says: the parts that are kept, read from whatever shape a host gives them.

The reply of a paid call is worth more than its form. What is there is read; a count that cannot be one is None, as if
the host had not counted; only a body in which there is no message at all is refused. Where such a body is a completion
in every other respect, it may have been paid for all the same, and the refusal carries what is to be kept of it. Hosts
differ in the names of reasoning and cache hits, and in whether a content is a text or a list of parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from diversity_judge.hosts.calls import TransientError
from diversity_judge.rubric import Missing
from diversity_judge.text_safety import printable, well_formed

MOST_TOKENS = 100_000_000
"""No call has more: a hundred times the longest context that is sold. A larger count is none, and would be billed."""

_LONGEST_NAME = 500
_LONGEST_COUNT = 20


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion. Tokens are None where the host gave no count that can be one.

    Attributes:
        content: The answer; empty where there is none.
        reasoning: What the host took apart from it.
        finish_reason: As the host gave it.
        prompt_tokens: Tokens of the prompt.
        completion_tokens: Tokens of reasoning and answer.
        cached_tokens: Of the prompt's, those that a prefix cache served; never more than these.
        model: As the host names it.
        provider: Behind a router of hosts.
        system_fingerprint: As the host gave it.
    """

    content: str
    reasoning: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    model: str | None = None
    provider: str | None = None
    system_fingerprint: str | None = None


class OddCompletionError(TransientError):
    """A completion came, perhaps paid for, in a shape that nobody can read a message from.

    Attributes:
        kept: It as it is kept: no content, the whole body in place of the reasoning, the counts where they are there.
    """

    def __init__(self, message: str, kept: Completion) -> None:
        super().__init__(Missing.MALFORMED, message)
        self.kept = kept


def read_completion(body: str) -> Completion:
    """Read the body of a reply, chat or plain: the one reader of live replies and of the bodies in a batch's results.

    Raises:
        OddCompletionError: it is a completion, but there is no message in it.
        TransientError: it holds no completion (reason `malformed`), whatever it is instead.
    """
    value: Any = None
    try:
        value = _parsed(body)
        return _completion_of(value)
    except Exception as error:  # A host's text is to blame, whichever way it found: too deep, too long, another shape.
        said = f"not a completion: {_named(error)}"
        if isinstance(error, RecursionError) and body.startswith("{") and '"choices"' in body:
            value = {"choices": None}  # Too deep to be read: of what it counts nothing is known.
        if _may_be_paid(value):
            kept = _completion(value, content=None, reasoning=body, finish_reason=Missing.MALFORMED.value)
            raise OddCompletionError(said, kept) from None
        raise TransientError(Missing.MALFORMED, said) from None


def _completion_of(value: Any) -> Completion:
    choice = value["choices"][0]
    message = choice.get("message")
    if message is None:
        content, reasoning = choice["text"], None
    else:
        content, reasoning = message.get("content"), message.get("reasoning_content") or message.get("reasoning")
    return _completion(value, content=content, reasoning=reasoning, finish_reason=choice.get("finish_reason"))


def _may_be_paid(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a body has the parts of a completion and is no error; a page, a list or half a body is not paid for."""
    return isinstance(value, Mapping) and not value.get("error") and ("choices" in value or "usage" in value)


def _completion(value: Mapping[str, Any], *, content: object, reasoning: object, finish_reason: object) -> Completion:
    """What is said, with what the body says besides."""
    usage = _mapping(value.get("usage"))
    prompt_tokens = _count(usage.get("prompt_tokens"))
    return Completion(
        content=_text(content) or "",
        reasoning=_text(reasoning),
        finish_reason=_name(finish_reason),
        prompt_tokens=prompt_tokens,
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_cached_tokens(usage, prompt_tokens),
        model=_name(value.get("model")),
        provider=_name(value.get("provider")),
        system_fingerprint=_name(value.get("system_fingerprint")),
    )


def sentence_of(body: str) -> str:
    """What a host says about a refusal, without the envelope; not yet clean."""
    try:
        value = json.loads(body)
        while isinstance(value, Mapping) and ("error" in value or "message" in value or "detail" in value):
            value = next(value[name] for name in ("error", "message", "detail") if name in value)
        return value if isinstance(value, str) else json.dumps(value)
    except Exception:  # Whatever it is, it is shown as it came.
        return body


def _parsed(body: str) -> Any:
    body = body.removeprefix("\ufeff")
    try:
        return json.loads(body)
    except json.JSONDecodeError:
        raise
    except ValueError:  # A number of more digits than Python takes for an integer: as a float it is infinite.
        return json.loads(body, parse_int=float)


def _named(error: Exception) -> str:
    """An error's kind and the beginning of what it says."""
    return printable(f"{type(error).__name__}: {error}", 200)


def _cached_tokens(usage: Mapping[str, Any], prompt_tokens: int | None) -> int | None:
    """Prompt tokens served by a prefix cache: `prompt_tokens_details` (OpenAI, vLLM) or DeepSeek's own field.

    More than the prompt has cannot be (some hosts count the cached ones apart): then nothing is known, and the whole
    prompt is billed.
    """
    details = _mapping(usage.get("prompt_tokens_details"))
    cached = _count(details.get("cached_tokens", usage.get("prompt_cache_hit_tokens")))
    return None if cached is None or cached > (prompt_tokens or 0) else cached


def _count(value: object) -> int | None:
    """A number of tokens, also written as 12.0 or "12"; None for what can be none."""
    if isinstance(value, str) and len(value) <= _LONGEST_COUNT and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    """A host's text, or that of its parts, without lone surrogates, which no file can hold."""
    if isinstance(value, list):
        parts = [part if isinstance(part, str) else _mapping(part).get("text") for part in value]
        value = "".join(part for part in parts if isinstance(part, str))
    return well_formed(value)[0] if isinstance(value, str) else None


def _name(value: object) -> str | None:
    """A short text; what is longer than any name is cut."""
    return well_formed(value[:_LONGEST_NAME])[0] if isinstance(value, str) else None
