"""Ids and texts of strangers are harmless wherever they go."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.text_safety import printable, slug, slugs, unsafe_in_a_name, well_formed

any_text = st.text(st.characters(exclude_categories=()), max_size=200)
"""Every code point, lone surrogates included."""


@given(any_text)
def test_printable_leaves_nothing_that_a_terminal_acts_on(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in shown}


@given(any_text)
def test_printable_keeps_a_text_that_is_harmless(text: str) -> None:
    once = printable(text)
    assert printable(once) == once


@given(any_text, st.integers(1, 40))
def test_printable_keeps_its_limit(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert shown == printable(text) or shown.endswith("…")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain α 中 😀", "plain α 中 😀"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("no\u00a0break", "no break"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_printable_shows_the_character_instead_of_obeying_it(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_refuses_a_limit_without_room() -> None:
    with pytest.raises(ValueError, match="limit"):
        printable("a", 0)


@given(any_text)
def test_well_formed_text_can_be_encoded(text: str) -> None:
    cleaned, count = well_formed(text)
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    assert count == sum(unicodedata.category(character) == "Cs" for character in text)


@given(any_text, st.integers(20, 120))
def test_slug_is_a_safe_name_of_bounded_length(text: str, max_length: int) -> None:
    name = slug(text, max_length=max_length)
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name)
    assert len(name) <= max_length
    assert "__" not in name


@given(st.lists(any_text, unique=True, max_size=20))
def test_slugs_differ_even_where_case_is_ignored(texts: list[str]) -> None:
    names = slugs(texts)
    assert list(names) == texts
    assert len({name.lower() for name in names.values()}) == len(texts)


@given(st.lists(st.text("aAbB1-_. /", min_size=1, max_size=3), unique=True, max_size=40))
def test_slugs_of_texts_that_are_nearly_the_same_differ(texts: list[str]) -> None:
    assert len({name.lower() for name in slugs(texts).values()}) == len(texts)


@given(any_text, any_text, any_text, any_text)
def test_a_pair_of_slugs_joined_by_two_underscores_is_unambiguous(a: str, b: str, c: str, d: str) -> None:
    assert (slug(a), slug(b)) == (slug(c), slug(d)) or f"{slug(a)}__{slug(b)}" != f"{slug(c)}__{slug(d)}"


@pytest.mark.parametrize("text", ["aime-2025", "T0.7", "expert-sample", "a_b"])
def test_a_safe_id_is_kept_as_it_is(text: str) -> None:
    assert slug(text) == text


@pytest.mark.parametrize("text", ["../../etc/passwd", "a/b", "", "..", "CON", "nul.txt", "a" * 200, "é", "-x"])
def test_an_unsafe_id_is_changed_and_says_so_by_a_hash(text: str) -> None:
    name = slug(text)
    assert name != text
    assert re.search(r"-[0-9a-f]{10}$", name)
    assert not re.match(r"(?i)(con|nul)(\.|$)", name)


def test_an_id_that_looks_like_the_name_of_another_does_not_take_it() -> None:
    assert slug(slug("a/b")) != slug("a/b")


def test_ids_that_differ_in_case_alone_are_told_apart_in_any_order() -> None:
    assert slugs(["AIME", "aime"]) == {name: slugs(["aime", "AIME"])[name] for name in ("AIME", "aime")}


def test_unsafe_in_a_name_are_controls_line_ends_and_lone_surrogates_and_nothing_else() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    unsafe = {character for character in characters if unsafe_in_a_name(f"id {character}") is not None}
    assert unsafe == {c for c in characters if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs")}
    assert unsafe_in_a_name("an id\u2028of two lines") == 5
