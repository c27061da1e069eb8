"""Where thinking ends, and which words of a host mean that a text was cut."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.inputs.views import view_of
from diversity_judge.planning.prompting import parse_reply
from diversity_judge.rubric import Missing, broken_off, is_unfinished, split_thinking, with_thinking

SCORE = "[Final Score: 2]"


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("a", None, "a"),
        ("", None, ""),
        ("1 < 2", None, "1 < 2"),
        ("<think>a</think>b", "<think>a", "b"),
        ("a</think>b", "a", "b"),
        ("a</think>b</think>c", "a</think>b", "c"),
        ("<think>a</think>b<think>c</think>d", "<think>a</think>b<think>c", "d"),
        # Marks do not nest: the prompt has given one already, or the model speaks of one.
        ("<think><think>a</think>b", "<think><think>a", "b"),
        ("<think>a <think> b</think>c", "<think>a <think> b", "c"),
        # Opened and not closed: all of it is thinking, whatever stands before.
        ("<think>a", "<think>a", ""),
        ("\n <think>a", "\n <think>a", ""),
        ("\ufeff<think>a", "\ufeff<think>a", ""),
        ("Okay.<think>a", "Okay.<think>a", ""),
        ("Okay.\n<think>", "Okay.\n<think>", ""),
        ("<think>a</think><think>b", "<think>a</think><think>b", ""),
        ("<think>a</think>b\n<think>c", "<think>a</think>b\n<think>c", ""),
        # Spoken of.
        ("It opens with `<think>` and", None, "It opens with `<think>` and"),
        ("<think>the mark \"</think>\" ends", "<think>the mark \"</think>\" ends", ""),
        ("<think>a</think>It never closes '<think>'.", "<think>a", "It never closes '<think>'."),
        # No marks.
        ("<thinking>a", None, "<thinking>a"),
        ("<think >a", None, "<think >a"),
        ("</ think>a", None, "</ think>a"),
    ],
)  # fmt: skip
def test_thinking_ends_at_the_last_closing_mark_unless_another_thought_is_opened(
    text: str, thinking: str | None, answer: str
) -> None:
    assert split_thinking(text) == (thinking, answer)
    assert is_unfinished(text) == (thinking is not None and not answer)


@given(st.lists(st.sampled_from(["<think>", "</think>", " a ", "\n", " `<think>` ", f"{SCORE}", "<", "</thin", "k>"])))
def test_a_text_is_split_as_one_who_reads_it_from_the_left_would(pieces: list[str]) -> None:
    # Reading from the left: a mark opens or closes the thought; what has come since the last closing is the answer.
    is_open, seen, answer = False, "", ""
    for piece in pieces:
        seen += piece
        if seen.endswith("<think>"):
            is_open = True
        elif seen.endswith("</think>"):
            is_open, answer = False, ""
            continue
        answer += piece
    has_marks = "<think>" in seen.replace("`<think>`", "") or "</think>" in seen
    thinking, found = split_thinking(seen)
    assert found == ("" if is_open else answer)
    assert (thinking is not None) == has_marks
    assert is_unfinished(seen) == is_open


@given(st.text(max_size=100), st.text(max_size=100))
def test_a_response_put_together_comes_apart_the_same(thinking: str, answer: str) -> None:
    thinking, answer = (part.replace("think>", "") for part in (thinking, answer))
    text = with_thinking(thinking, answer)
    found, rest = split_thinking(text)
    if not thinking.strip():
        assert text == answer
    elif not answer.strip():  # The model was still thinking.
        assert (found, rest) == (f"<think>{thinking}", "")
    else:
        assert (found, rest) == (f"<think>{thinking}", f"\n{answer}")


@pytest.mark.parametrize("text", ["`<think>`" * 60_000, "'</think>'" * 60_000, "<think>" * 60_000, "<" * 500_000])
def test_marks_are_found_without_a_copy_of_the_text_for_each(text: str) -> None:
    tracemalloc.start()
    split_thinking(text)
    is_unfinished(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(text)


@pytest.mark.parametrize(
    "reply",
    [
        f"<think>a</think><think>maybe {SCORE}",
        f"Okay.<think>maybe {SCORE}",
        f"Okay. {SCORE}\n<think>or rather",
        f"\ufeff<think>maybe {SCORE}",
        f"<think>the mark `</think>` ends it. {SCORE}",
    ],
)
def test_a_score_in_a_thought_that_was_never_closed_does_not_count(reply: str) -> None:
    assert parse_reply(reply, "stop") == (None, Missing.UNFINISHED)
    assert view_of(reply, "final") == ""


@pytest.mark.parametrize(
    "word",
    [
        "length", "LENGTH", "max_tokens", "MAX_TOKENS", "FinishReason.MAX_TOKENS", "max_output_tokens", "model_length",
        "token_limit", "max-tokens", " length ", "incomplete", "ERROR_LIMIT",
        "model_context_window_exceeded",
    ],
)  # fmt: skip
def test_every_hosts_word_for_cut_is_known(word: str) -> None:
    assert broken_off(word) is Missing.TRUNCATED
    assert parse_reply(SCORE, word) == (None, Missing.TRUNCATED)


@pytest.mark.parametrize("word", ["content_filter", "SAFETY", "refusal", "content_filtered"])
def test_every_hosts_word_for_filtered_is_known(word: str) -> None:
    assert broken_off(word) is Missing.CONTENT_FILTER


@pytest.mark.parametrize(
    "word", [None, "", "stop", "STOP", "end_turn", "stop_sequence", "eos_token", "COMPLETE", "tool_calls"]
)
def test_a_reply_that_ended_by_itself_is_not_cut(word: str | None) -> None:
    assert broken_off(word) is None
    assert parse_reply(SCORE, word).score == 2
