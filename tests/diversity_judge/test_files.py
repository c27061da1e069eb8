"""Cells of tables: never a formula, always on one line, and read back exactly."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diversity_judge.compare import compare
from diversity_judge.comparing.files import write_tables
from diversity_judge.files import Row, text_cell, text_of_cell, write_csv, write_frame
from diversity_judge.inputs.responses import Response
from diversity_judge.runs.loading import load_run
from tests.diversity_judge.run_folders import group, make_run

NAMES = [
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "'=x",
    "''+y",
    "plain",
    "'quoted",
    "-x",
    "\uff1dfull width",
    'a,"b"',
]
names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8)


@given(st.sampled_from(["", "'", "''"]), st.sampled_from(["", "=", "+", "-", "@", "\uff1d"]), names)
def test_an_escaped_text_is_read_back_exactly(quotes: str, sign: str, rest: str) -> None:
    text = quotes + sign + rest
    cell = text_cell(text)
    assert text_of_cell(cell) == text
    assert cell[:1] not in ("=", "@", "\uff1d")
    assert cell[:1] not in ("+", "-") or float(cell) is not None


def test_numbers_stay_numbers_for_other_programs() -> None:
    assert [text_cell(text) for text in ("-1", "+2.5", "-x", "007")] == ["-1", "+2.5", "'-x", "007"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1, max_size=5))
def test_every_writer_makes_one_line_of_a_row(tmp_path: Path, texts: list[str]) -> None:
    rows: list[Row] = [{"n": i, "text": text, "x": float("nan")} for i, text in enumerate(texts)]
    write_csv(tmp_path / "rows.csv", rows)
    write_frame(tmp_path / "frame.csv", pd.DataFrame(rows))
    for name in ("rows.csv", "frame.csv"):
        content = (tmp_path / name).read_bytes().decode()
        assert len(content.splitlines()) == len(texts) + 1
        assert all(line.isprintable() or not line.isascii() for line in content.splitlines())
        found = list(csv.reader(content.splitlines()))
        assert [cells[1] for cells in found[1:]] == [text_cell(text) for text in texts]


def test_names_that_look_like_formulas_go_through_score_and_compare_unchanged(tmp_path: Path) -> None:
    groups = [
        group(problem, strategy, [{"text": f"{i}", "sample_id": f"={i}"} for i in range(3)])
        for problem in NAMES
        for strategy in ("=a", "-b")
    ]

    def differ(first: Response, second: Response) -> int:
        return 3

    run = load_run(make_run(tmp_path / "run", groups, differ, judge="@cf/meta/llama at a host"))
    assert [(g.problem_id, g.strategy) for g in run.groups] == [(g.problem_id, g.strategy) for g in groups]
    assert run.scores["problem_id"].tolist() == [g.problem_id for g in groups]
    assert set(run.scores["judge"]) == {"@cf/meta/llama at a host"}
    assert set(run.pairs["first"]) == {"=0", "=1", "=2"}
    write_tables(tmp_path / "compare", compare([run]))
    tables = [*(tmp_path / "run").glob("*.csv"), *(tmp_path / "compare").glob("*.csv")]
    assert len(tables) >= 7
    for path in tables:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                for cell in row:
                    assert not cell.startswith(("=", "@", "\uff1d")), path
                    assert not cell.startswith(("+", "-")) or float(cell) is not None, path
    problems = pd.read_csv(tmp_path / "compare" / "problems.csv", dtype=str, keep_default_na=False)
    assert {text_of_cell(cell) for cell in problems["problem_id"]} == set(NAMES)
    assert pytest.approx(1 - 3 / 5) == run.scores["diversity"].astype(float).mean()
