"""Tables on narrow terminals: whole numbers, names that can be told apart, nothing beyond the width."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from diversity_judge.terminal import SHORTEST_NAME, Column, print_table, shorten_middle

NUMBERS = ["0.511 [0.474, 0.547]", "0.586 [0.537, 0.633]"]


def printed(width: int, *columns: Column) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(console, "title", ["a fact"], columns)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def names(*texts: str) -> Column:
    return Column("problem", texts, is_name=True)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_number_is_whole_and_no_line_is_wider_than_the_terminal(width: int) -> None:
    columns = [Column(f"metric {number}", NUMBERS) for number in range(5)]
    shown = printed(width, names("comprehensive-100-2", "comprehensive-100-3"), *columns)
    for number in NUMBERS:
        assert shown.count(number) == 5
    assert max(map(len, shown.splitlines())) <= width


def test_what_does_not_fit_stands_below_with_the_names_again() -> None:
    shown = printed(40, names("a", "b"), Column("first", NUMBERS), Column("second", NUMBERS))
    assert shown.index("first") < shown.index("second")
    assert shown.count("problem") == 2
    assert "a fact" in shown


def test_columns_that_say_nothing_are_left_out() -> None:
    shown = printed(80, names("a", "b"), Column("coverage", ["", ""]), Column("n", ["10", "10"]))
    assert "coverage" not in shown


def test_long_names_are_shortened_in_the_middle_and_stay_apart() -> None:
    shown = printed(
        50, names("a-very-long-problem-id-number-1", "a-very-long-problem-id-number-2"), Column("d", NUMBERS)
    )
    lines = [line for line in shown.splitlines() if "[" in line]
    assert all("…" in line for line in lines)
    assert len({line.split()[0] for line in lines}) == 2


@given(st.text(max_size=200), st.integers(SHORTEST_NAME, 80))
def test_a_shortened_text_keeps_its_ends(text: str, limit: int) -> None:
    shown = shorten_middle(text, limit)
    assert len(shown) <= limit
    assert shown[:3] == text[:3]
    assert shown[-3:] == text[-3:]
