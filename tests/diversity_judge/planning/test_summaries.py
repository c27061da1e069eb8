"""What counts as a summary, which texts are summarised, and what stands in for a summary that is not there yet."""

from __future__ import annotations

import numpy as np
import pytest

from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.summaries import (
    COMPARE,
    Summary,
    SummaryPlan,
    SummaryTemplate,
    plan_summaries,
    read_summary,
    with_summaries,
)
from tests.diversity_judge.helpers import plan

STEPS = "1. Factor.\n2. Conclude."


@pytest.mark.parametrize(
    "content",
    [
        f"{STEPS}\n[Core steps: 2]",
        f"{STEPS}\n\n**[Core steps: 2]**",
        f"<think>1. No. [Core steps: 1]</think>{STEPS}\n[ core steps : **2** ]  ",
        f"{STEPS}\n[Core steps: 2]\nI hope this helps.",
    ],
)
def test_the_summary_is_what_the_visible_answer_says_before_its_last_line(content: str) -> None:
    assert read_summary(content, "stop") == (STEPS, None)


@pytest.mark.parametrize(
    ("content", "finish_reason", "reason"),
    [
        (f"{STEPS}\n[Core steps: 2]", "length", "truncated"),
        (STEPS, "stop", "unparsable"),
        ("[Core steps: 0]", "stop", "empty"),
        (" \n", "stop", "empty"),
        (f"<think>{STEPS}\n[Core steps: 2]", "stop", "unfinished"),
        (f"{STEPS}\n[Core steps: many]", None, "unparsable"),
        ("", "content_filter", "content_filter"),
    ],
)
def test_what_is_cut_empty_or_without_its_last_line_is_no_summary(
    content: str, finish_reason: str | None, reason: str
) -> None:
    text, fault = read_summary(content, finish_reason)
    assert text is None
    assert fault is not None
    assert fault.reason == reason


def wanted(texts: list[str], design: PairDesign | None = None) -> list[SummaryPlan]:
    return plan_summaries([plan(texts, design)], SummaryTemplate.load())


def test_each_different_text_of_a_pair_that_is_asked_is_summarised() -> None:
    assert [summary.text for summary in wanted(["a", "b", "a", "c"])] == ["a", "b", "c"]
    assert wanted(["a", "a", "a"]) == []
    assert len(wanted(list("abcdefgh"), PairDesign(pairs_per_group=1))) == 2


def summaries(texts: list[str], **written: str) -> list[Summary]:
    return [
        Summary(one, f"key of {one.text}", written.get(one.text), None if one.text in written else "not_judged")
        for one in wanted(texts)
    ]


def test_pairs_of_promised_summaries_count_and_those_of_lost_ones_cannot_be_asked() -> None:
    texts = ["a", "b", "c", "a"]
    known = summaries(texts, a="A", b="B")
    estimated = with_summaries([plan(texts)], known, {"key of c"})[0]
    assert estimated.can_be_asked().all()
    assert estimated.token_counts[2] == 500
    final = with_summaries([plan(texts)], known)[0]
    assert final.lacking == {2}
    assert [shown.text for shown in final.shown][:2] == ["A", "B"]
    expected = [2 not in (first, second) for first, second, _ in final.pairs]
    assert final.can_be_asked().tolist() == expected
    np.testing.assert_array_equal(final.needs_call(), plan(texts).needs_call())


def test_a_twin_that_is_in_no_asked_pair_of_its_own_stays_a_duplicate() -> None:
    """In a thin design a response may stand in a pair with its twin only, while the twin is compared with others."""
    texts = ["a", "a", "b", "c", "d", "e", "f", "g"]
    for seed in range(20):
        before = plan(texts, PairDesign(pairs_per_group=4, seed=seed))
        found = [Summary(one, one.text, one.text.upper()) for one in plan_summaries([before], SummaryTemplate.load())]
        after = with_summaries([before], found)[0]
        np.testing.assert_array_equal(after.needs_call(), before.needs_call())


def test_the_template_of_pairs_has_the_scale_and_the_last_line_of_the_judges_template() -> None:
    ours, usual = PromptTemplate.load(COMPARE).file, PromptTemplate.load().file
    assert ours.header["scale"] == usual.header["scale"]
    lines = [line.strip() for line in usual.body.splitlines() if line.strip()[:3] in {f"{n} =" for n in range(6)}]
    assert len(lines) == 6
    assert all(line in ours.body for line in lines)
    assert "[Final Score: X]" in ours.body
