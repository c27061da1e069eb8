"""Keys are read whole or refused; no text of a host keeps them, nor a telling part of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import read_address
from diversity_judge.hosts.secrets import NO_KEY, Scrubber, credential_in, read_key, without_credentials

KEY = "sk-or-v1-3f9a7c21e8b64d05"
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=9, max_size=60)


def test_a_key_comes_from_the_variable_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", f" {KEY}\r\n")
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    assert read_key("MINE", "h") == KEY
    assert read_key(None, "h") == NO_KEY
    with pytest.raises(InputError, match="names no variable"):
        read_key("", "h")
    monkeypatch.delenv("MINE")
    with pytest.raises(InputError, match="MINE is not set"):
        read_key("MINE", "http://127.0.0.1:8000/v1")


@pytest.mark.parametrize("pasted", [KEY, "3f9a7c21e8b64d05aa", "hf_AbCdEfGhIjKlMnOp12345678"])
def test_a_key_in_place_of_the_name_of_its_variable_is_not_repeated(pasted: str) -> None:
    with pytest.raises(InputError, match="looks like the key itself") as caught:
        read_key(pasted, "h")
    assert pasted not in str(caught.value)


@given(PRINTABLE, st.text(max_size=30), st.text(max_size=30))
def test_no_key_is_left_in_a_text(key: str, before: str, after: str) -> None:
    for form in (key, repr(key), repr(repr(key))[1:-1]):
        cleaned = Scrubber([key]).clean(f"{before}{form}{after}")
        assert key not in cleaned or key in "[key]"
        assert cleaned.isprintable()


def test_the_ends_that_hosts_show_of_a_key_are_taken_out() -> None:
    cleaned = Scrubber([KEY]).clean(f"Incorrect API key provided: {KEY[:10]}*****{KEY[-8:]}. See the documents.")
    assert cleaned == "Incorrect API key provided: [key]*****[key]. See the documents."


def test_the_cut_of_a_long_message_leaves_no_part_of_a_key() -> None:
    for length in range(480, 520):
        assert KEY[:8] not in Scrubber([KEY]).clean("x" * length + KEY)


def test_credentials_of_address_and_proxy_are_taken_out_in_each_of_their_spellings() -> None:
    # dXNlcjpwYXNzIHdvcmQ= is what HTTP makes of the name and the password, by RFC 7617.
    scrubber = Scrubber(address=read_address("https://user:pass%20word@h.example/v1"), proxy="http://p:proxypass@h:1")
    cleaned = scrubber.clean("pass%20word, pass word, Basic dXNlcjpwYXNzIHdvcmQ=, proxypass")
    assert cleaned == "[key], [key], Basic [key], [key]"


def test_a_reply_keeps_words_that_a_short_secret_happens_to_be() -> None:
    assert Scrubber(["user"]).replace("the user asks") == "the user asks"
    assert Scrubber([KEY]).replace(f"a{KEY}b") == "a[key]b"


@pytest.mark.parametrize(
    "parameters",
    [
        {"api_key": "x"}, {"apiKey": "x"}, {"X-API-Key": "x"}, {"Authorization": "x"}, {"token": "x"},
        {"hf_token": "x"}, {"password": "x"}, {"client_secret": "x"}, {"user": "sk-aaaaaaaaaaaaaaa"},
        {"a": {"b": [{"auth": "x"}]}}, {"note": "Bearer abc"},
    ],
)  # fmt: skip
def test_credentials_are_found_by_name_and_by_look_however_deep(parameters: dict[str, object]) -> None:
    assert credential_in(parameters) is not None
    assert credential_in(without_credentials(parameters)) is None or "[key]" in str(without_credentials(parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_tokens": 5, "max_completion_tokens": 5, "truncate_prompt_tokens": 1, "skip_special_tokens": True},
        {"stop_token_ids": [1, 2], "logprobs": True, "seed": 1, "user": "me"},
        {"provider": {"require_parameters": True, "allow_fallbacks": False}},
        {"thinking": {"type": "enabled", "budget_tokens": 5}},
        {"trust_remote_code": True, "hf_token": None, "tokenizer": "t", "tokenizer_mode": "auto"},
    ],
)
def test_usual_parameters_are_no_credentials(parameters: dict[str, object]) -> None:
    assert credential_in(parameters) is None
    assert without_credentials(parameters) == parameters
