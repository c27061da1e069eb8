"""The command against a real small language model, whose replies are messy in ways that nobody scripted."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from diversity_judge.planning.prompting import parse_reply
from tests.diversity_judge.score_runs import run

TEMPLATE = """---
name = "short"
version = "1"
scale = "0..5"
---
How alike are two ways of reasoning? 0 = different, 5 = the same. End with one line: [Final Score: X]
First: {text1}
Second: {text2}
"""
"""Short, because a model on one thread reads fifty tokens a second."""

RESPONSES = (
    "4 * 6 = 24, and 3 - 2 = 1, so 4 * 6 * (3 - 2) = 24.",
    "Take 6 / (3 - 2) = 6 first. Then 6 * 4 = 24.",
    "<think>Perhaps 3 * 6 = 18, and 18 + 4 + 2 = 24.</think> 3 * 6 + 4 + 2 = 24.",
)


@pytest.mark.llm_server
def test_messy_real_replies_end_properly_with_every_reply_kept(llm_base_url: str, tmp_path: Path) -> None:
    responses = tmp_path / "responses.jsonl"
    responses.write_text(
        "".join(json.dumps({"problem_id": "24", "response": text}) + "\n" for text in RESPONSES), encoding="utf-8"
    )
    template = tmp_path / "short.txt"
    template.write_text(TEMPLATE, encoding="utf-8")
    finished = run(
        responses,
        llm_base_url,
        tmp_path / "run",
        "--prompt",
        str(template),
        "--max-tokens",
        "40",
        "--param",
        "temperature=0.7",
        "--param",
        "seed=1",
        concurrency=1,
        model="smollm2",
    )
    pairs = finished.pairs
    assert len(pairs) == 3
    with sqlite3.connect(finished.folder / "ledger.sqlite") as ledger:
        replies = ledger.execute("SELECT content, finish_reason, model FROM replies").fetchall()
    assert len(replies) == finished.manifest["this_run"]["calls"] == pairs["n_replies"].sum()
    assert {model for _, _, model in replies} == {"smollm2"}
    assert all(content for content, _, _ in replies)

    parsed = [parse_reply(content, finish_reason) for content, finish_reason, _ in replies]
    assert pairs["score"].notna().sum() == sum(reply.score is not None for reply in parsed)
    missing = Counter(pairs["missing"].dropna())
    assert set(missing) <= {reply.reason for reply in parsed}
    assert finished.manifest["judgments"]["missing"] == dict(missing)
    assert finished.code == (3 if missing else 0)
    for reason, count in missing.items():
        assert f"{count} x {reason}" in finished.output
