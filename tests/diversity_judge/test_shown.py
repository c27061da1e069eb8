"""What results show of themselves in a terminal and in a notebook: short, escaped, and the numbers of their tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import diversity_judge as dj

EXAMPLE = Path(__file__).parents[2] / "examples" / "responses.jsonl"
N_PROBLEMS = len({json.loads(line)["problem_id"] for line in EXAMPLE.read_text(encoding="utf-8").splitlines()})
SHORT = 1500


@pytest.fixture(scope="module")
def result() -> dj.ScoreResult:
    return dj.score(EXAMPLE, judge="proxy")


@pytest.fixture(scope="module")
def comparison(result: dj.ScoreResult) -> dj.Comparison:
    return dj.compare(result, baseline="T0.7")


def test_every_value_of_the_example_prints_short(result: dj.ScoreResult, comparison: dj.Comparison) -> None:
    plan = result.groups[0].plan
    values: list[Any] = [result, result.run, result.run.groups[0], result.groups[0], plan, plan.group]
    values += [plan.group.responses[0], comparison, comparison.process, comparison.problem_table]
    values += [dj.agree(result, result), dj.load_run(EXAMPLE)]
    for value in values:
        assert 0 < len(repr(value)) < SHORT, type(value).__name__
        assert "object at 0x" not in repr(value)


def test_a_comparison_shows_its_main_numbers(comparison: dj.Comparison) -> None:
    shown, page = repr(comparison), comparison._repr_html_()
    row = comparison.process.where(strategy="T1.0", metric="diversity")[0]
    for text in (shown, page):
        assert f"4 strategies on {N_PROBLEMS} problems, baseline T0.7" in text
        assert "proxy judge, not an LLM" in text
        assert f"{row.value:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}]" in text
        assert comparison.sentences[0][:60] in text
        assert f"{len(comparison.notes)} notes in .notes" in text


def test_an_agreement_shows_its_rows(result: dj.ScoreResult) -> None:
    found = dj.agree(result, result)
    assert "all together" in repr(found)
    assert found._repr_html_().count("<tr>") == 1 + len(found.rows)


def test_responses_alone_say_so() -> None:
    assert f"{4 * N_PROBLEMS} groups of {N_PROBLEMS} problems, responses only" in repr(dj.load_run(EXAMPLE))
    assert "<table>" not in dj.load_run(EXAMPLE)._repr_html_()


def test_names_of_strangers_are_escaped() -> None:
    rows = [
        {"problem_id": f"p{number}", "strategy": "<script>", "response": text}
        for number in range(2)
        for text in ("a b c", "a c d", "e")
    ]
    result = dj.score(rows, judge="proxy")
    comparison = dj.compare(result)
    pages = [result._repr_html_(), result.run._repr_html_(), result.run.groups[0]._repr_html_()]
    pages += [comparison._repr_html_(), comparison.process._repr_html_(), comparison.problem_table._repr_html_()]
    pages += [dj.agree(result, result)._repr_html_()]
    for page in pages:
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
