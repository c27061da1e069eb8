"""A completion is read from whatever shape it has, and nothing but a CallError comes of any other text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.hosts.calls import TransientError
from diversity_judge.hosts.completion import MOST_TOKENS, Completion, read_completion, sentence_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def read(content: Any = "[Final Score: 3]", usage: Any = None, **fields: Any) -> Completion:
    message = {"content": content, **fields.pop("message", {})}
    return read_completion(json.dumps({"choices": [{"message": message}], "usage": usage, **fields}))


@given(st.text() | JSON.map(json.dumps))
def test_any_body_is_a_completion_or_malformed(body: str) -> None:
    assert outcome(body) == "malformed" or isinstance(outcome(body), Completion)


def outcome(body: str) -> Completion | str:
    try:
        return read_completion(body)
    except TransientError as error:
        return error.reason


@given(JSON, JSON, JSON, JSON)
def test_whatever_stands_around_it_the_answer_is_kept_and_counts_can_be_counts(
    usage: Any, details: Any, model: Any, reasoning: Any
) -> None:
    if isinstance(usage, dict):
        usage = {**usage, "prompt_tokens": details, "completion_tokens": model, "prompt_tokens_details": details}
    completion = read(usage=usage, model=model, provider=details, message={"reasoning": reasoning})
    assert completion.content == "[Final Score: 3]"
    for count in (completion.prompt_tokens, completion.completion_tokens, completion.cached_tokens):
        assert count is None or (type(count) is int and 0 <= count <= MOST_TOKENS)
    assert (completion.cached_tokens or 0) <= (completion.prompt_tokens or 0)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (12, 12), (0, 0), (12.0, 12), ("12", 12), (MOST_TOKENS, MOST_TOKENS), (MOST_TOKENS + 1, None), (10**20, None),
        (-1, None), (True, None), (1.5, None), (float("nan"), None), (float("inf"), None), ("", None), ("-1", None),
        ("1e3", None), ("٣", None), ("9" * 30, None), (None, None), ([5], None), ({"n": 5}, None),
    ],
)  # fmt: skip
def test_a_count_is_a_number_of_tokens_or_unknown(value: Any, count: int | None) -> None:
    assert read(usage={"prompt_tokens": value}).prompt_tokens == count


def test_a_number_of_more_digits_than_python_reads_costs_no_reply() -> None:
    body = '{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": ' + "9" * 5000 + "}}"
    assert read_completion(body) == Completion("a")


def test_more_cached_than_the_prompt_has_is_unknown() -> None:
    assert read(usage={"prompt_tokens": 5, "prompt_cache_hit_tokens": 6}).cached_tokens is None
    assert read(usage={"prompt_tokens": 5, "prompt_cache_hit_tokens": 5}).cached_tokens == 5


def test_a_content_of_parts_is_their_text() -> None:
    parts = [{"type": "text", "text": "[Final "}, {"type": "image"}, "Score: ", {"text": "3]"}, None, {"text": 5}]
    assert read(parts).content == "[Final Score: 3]"


def test_plain_completions_and_byte_order_marks_are_read() -> None:
    assert read_completion('\ufeff{"choices": [{"text": "a"}]}').content == "a"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('{"error": {"message": "too long", "code": 400}}', "too long"),
        ('{"error": "too long"}', "too long"),
        ('{"detail": "too long"}', "too long"),
        ('{"object": "error", "message": "too long"}', "too long"),
        ("<html>", "<html>"),
        ('{"error": {"message": ["a"]}}', '["a"]'),
        ("[" * 200_000, "[" * 200_000),
    ],
)
def test_what_a_host_says_is_found_in_its_envelope(body: str, sentence: str) -> None:
    assert sentence_of(body) == sentence
