"""An address is called as it was given, and shown without anything that could be a secret."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diversity_judge.errors import InputError
from diversity_judge.hosts.address import proxy_of, read_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.deepseek.com", "https://api.deepseek.com"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1/", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/paas/v4"),
        ("HTTP://LocalHost:8000/v1", "http://localhost:8000/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("http://[FE80::1]/v1", "http://[fe80::1]/v1"),
        ("https://me:pass@h.example:8443/v1/", "https://h.example:8443/v1"),
    ],
)
def test_usual_addresses_are_shown_as_they_are(url: str, shown: str) -> None:
    address = read_address(url)
    assert (address.shown, address.url) == (shown, url)


@pytest.mark.parametrize(
    "segment",
    [
        "sk-abcdefghijkl",
        "5b1f0c9a7e2d",
        "AbCdEfGhIjKl",
        "my-secret",
        "token",
        "user:pass",
        "a" * 40,
        "%73ecret",
        "key=x",
    ],
)
def test_a_segment_that_could_be_a_key_is_hidden_and_two_endpoints_stay_two(segment: str) -> None:
    one, two = (read_address(f"https://h.example/{text}/v1").shown for text in (segment, segment + "9x7y8z0w"))
    assert segment not in one
    assert one.startswith("https://h.example/(")
    assert one.endswith(")/v1")
    assert one != two


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost", True), ("judge.localhost", True), ("127.0.0.1", True), ("127.8.9.10", True), ("[::1]", True),
        ("0.0.0.0", True), ("localhost.example", False), ("10.0.0.1", False), ("127.0.0.1.example", False),
    ],
)  # fmt: skip
def test_loopback_is_told_from_names_that_look_like_it(host: str, is_loopback: bool) -> None:
    assert read_address(f"http://{host}:8000/v1").is_loopback is is_loopback


def shown_or_refusal(url: str) -> str:
    try:
        return read_address(url).shown
    except InputError as error:
        return f"refused: {error}"


@given(st.text(max_size=60))
@example("http://[")
@example("http://a:b:c")
@example("http://h\u2100/v1")
def test_any_text_is_an_address_or_one_sentence(text: str) -> None:
    for url in (text, f"http://{text}", f"https://host.example/{text}", f"http://me:{text}@host.example/v1"):
        said = shown_or_refusal(url)
        assert said.startswith(("http://", "https://", "refused: "))
        assert "\n" not in said


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=40))
def test_a_password_is_in_no_shown_form(password: str) -> None:
    address = read_address(f"https://u:{password}7@host.example/v1")
    assert address.shown == "https://host.example/v1"
    assert password not in repr(address)


def test_other_hosts_are_called_through_the_proxy_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    far, near = read_address("https://h.example/v1"), read_address("http://127.0.0.1:1/v1")
    assert proxy_of(far) is None
    monkeypatch.setenv("ALL_PROXY", "proxy.example:3128")
    assert (proxy_of(far), proxy_of(near)) == ("http://proxy.example:3128", None)
    monkeypatch.setenv("https_proxy", "http://other.example:1")
    assert proxy_of(far) == "http://other.example:1"
    monkeypatch.setenv("no_proxy", "h.example")
    assert proxy_of(far) is None
