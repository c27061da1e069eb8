"""What is changed in a text and what is not: the words stay, the answer alone changes, idle words are idle."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.countdown import read_steps
from diversity_judge.planning.prompting import parse_reply
from diversity_judge.probing.answers import another, with_another_answer
from diversity_judge.probing.reformatting import reformatted
from diversity_judge.probing.stress import asked_for, cut, padded, with_injection

COUNTDOWN = "6 * 11 = 66 left 12 2 66 ; 2 + 12 = 14 left 66 14 ; 66 - 14 = 52"
PROSE = "First \\(x = 2\\).\n\n- Then **twice** that\n- is \\[4\\]\n\n1. So done."


def words(text: str) -> list[str]:
    """What is left of a text without white space, delimiters and list marks."""
    return re.findall(r"[^\W_]+", text)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (PROSE, "First $x = 2$.\n* Then __twice__ that\n* is $$4$$\n1) So done."),
        ("Take $x$ and $$y$$.\nThen $5 or 6$7 remain", "Take \\(x\\) and \\[y\\].\n\nThen $5 or 6$7 remain"),
        ("one line. Another; a third", "one line.\nAnother;\na third"),
        ("no sentence ends here", "no sentence\nends here"),
        ("a\n  b\n  c", "a\n\nb\n\nc"),
        (COUNTDOWN, COUNTDOWN.replace(" ; ", " ;\n")),
    ],
)
def test_a_text_gets_another_form(text: str, other: str) -> None:
    assert reformatted(text) == other


def test_code_between_fences_stays_as_it_is() -> None:
    code = "```python\nfor i in x:\n    - y * 2\n```"
    found = reformatted(f"Look:\n\n{code}\n\n- done")
    assert found is not None
    assert code in found
    assert found.endswith("* done")


def test_a_single_word_has_no_other_form() -> None:
    assert reformatted("42") is None


@given(st.text(alphabet="ab 1.\n-*$\\()[]`#;", max_size=80))
def test_no_word_is_lost_or_moved_whatever_the_text(text: str) -> None:
    found = reformatted(text)
    assert found is None or (found != text and words(found) == words(text))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("so \\boxed{12} and no \\boxed{13}.", "so \\boxed{12} and no \\boxed{20}."),
        ("thus \\boxed{\\frac{1}{2}}", "thus \\boxed{\\frac{1}{2} + 7}"),
        ("12 + 1 = 13\n#### 13\n", "12 + 1 = 13\n#### 20\n"),
        ('hence C.\nAction: Answer("C")', 'hence C.\nAction: Answer("D")'),
        ("The answer is 7.5.", "The answer is 14.5."),
        ("**Final answer:** $-3$", "**Final answer:** $4$"),
        (COUNTDOWN, COUNTDOWN.replace("= 52", "= 59")),
    ],
)
def test_the_final_answer_alone_changes(text: str, other: str) -> None:
    assert with_another_answer(text) == other


def test_a_conclusion_that_repeats_its_answer_changes_in_all_places_and_the_route_in_none() -> None:
    route = "We get 8 by 4 + 4 = 8, since the answer is 8 only if x = 4. " * 8
    found = with_another_answer(f"{route}\n\nTherefore:\n\nThe answer is 8, so \\boxed{{8}}.")
    assert found == f"{route}\n\nTherefore:\n\nThe answer is 15, so \\boxed{{15}}."


@pytest.mark.parametrize("text", ["I do not know.", "The answer is unclear", "", "\\boxed{", "The answer is: none"])
def test_where_no_answer_can_be_changed_nothing_is(text: str) -> None:
    assert with_another_answer(text) is None


@given(st.from_regex(r"-?[0-9]{1,9}([.,][0-9]{1,3})?|[A-E]|\([a-e]\)|x\^2|\\sqrt\{3\}", fullmatch=True))
def test_another_answer_is_another(answer: str) -> None:
    assert another(answer) not in (None, answer)


def test_padding_says_nothing_and_changes_nothing_that_was_there() -> None:
    for text in (PROSE, COUNTDOWN, "word " * 400):
        found = padded(text)
        assert len(found) >= 1.15 * len(text)
        position = 0
        for line in text.split("\n\n"):
            position = found.index(line, position)
        assert read_steps(found) == read_steps(text)
        assert not re.search(r"[\d=+*/]", found.replace(text, "") if text in found else "")


def test_padding_keeps_out_of_code() -> None:
    code = "```\na = 1\n\nb = 2\n```"
    assert code in padded(f"See\n\n{code}\n\nend. " + "more words " * 200)


def test_a_cut_text_is_its_beginning_and_ends_between_words() -> None:
    text = "one two three four five six seven eight nine ten"
    found = cut(text)
    assert found is not None
    assert text.startswith(f"{found} ")
    assert 0.7 * len(text) < len(found) < 0.9 * len(text)
    assert cut("word") is None


@pytest.mark.parametrize("score", range(6))
def test_an_injection_asks_for_the_far_end_in_the_form_of_a_reply(score: int) -> None:
    wanted = asked_for(score)
    assert wanted in (0, 5)
    assert abs(wanted - score) >= 3
    assert parse_reply(with_injection("A response.", wanted)).score == wanted
