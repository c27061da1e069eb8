"""The folded tables below the summary, and the judge's own noise: on the page where a reader looks for them."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import diversity_judge as dj
from diversity_judge.drawing.heatmaps import only_score
from diversity_judge.report import write_report
from diversity_judge.report.more_tables import MoreTable, more_tables
from tests.diversity_judge.run_folders import group, make_run

STRATEGIES = ("T0.3", "T0.7", "T1.0")
PROBLEMS = tuple(f"p{n}" for n in range(7))


def compared(tmp_path: Path, *, draws: int = 1) -> dj.Comparison:
    """Seven problems at three temperatures; more similar where colder, one response of the hottest is cut."""

    def members(strategy: str, problem: int) -> list[dict[str, object]]:
        ends = ["length" if strategy == "T1.0" and n == 0 else "stop" for n in range(4)]
        return [
            {"text": f"{strategy} {n}", "correct": n <= problem % 3, "finish_reason": end} for n, end in enumerate(ends)
        ]

    groups = [group(p, s, members(s, n)) for n, p in enumerate(PROBLEMS) for s in STRATEGIES]
    similarity = {"T0.3": 4, "T0.7": 3, "T1.0": 1}
    run = make_run(tmp_path / "run", groups, lambda a, b: similarity[a.strategy], orders="both", draws=draws)
    return dj.compare([run])


def named(comparison: dj.Comparison, title: str) -> MoreTable:
    return next(table for table in more_tables(comparison) if table.title == title)


def test_any_two_strategies_with_their_verdicts(tmp_path: Path) -> None:
    comparison = compared(tmp_path)
    rows = [row for row in named(comparison, "Any two strategies").rows if row[1] == "diversity"]
    assert [row[0] for row in rows] == ["T0.7 − T0.3", "T1.0 − T0.3", "T1.0 − T0.7"]
    assert [row[2].split()[0] for row in rows] == ["+0.200", "+0.600", "+0.400"]
    assert {row[3] for row in rows} == {"7"}
    found = comparison.pairs_of_strategies.where(metric="diversity")
    assert [row[5] for row in rows] == [row.verdict for row in found]


def test_trends_payoff_and_cut_responses(tmp_path: Path) -> None:
    comparison = compared(tmp_path)
    trend = next(row for row in named(comparison, "Trends").rows if row[1] == "diversity")
    assert trend[0] == "T0.3 < T0.7 < T1.0"
    assert trend[2].startswith("+0.8")  # 0.2, 0.4, 0.8 at 0.3, 0.7, 1.0: slope 0.2108 / 0.2467
    assert [row[0] for row in named(comparison, "Does diversity pay?").rows][:1] == ["slope, for 1 of diversity"]
    cut = named(comparison, "Responses that were cut")
    assert [(row[0], row[1], row[3], row[4]) for row in cut.rows] == [
        ("T0.3", "0.0 %", "0", "28"),
        ("T0.7", "0.0 %", "0", "28"),
        ("T1.0", "25.0 %", "7", "28"),
    ]


def test_what_each_figure_rests_on(tmp_path: Path) -> None:
    rows = named(compared(tmp_path), "What each figure rests on").rows
    assert rows[0] == ("diversity", "T0.3", "all", "7", "0", "4", "28", "42")


def test_a_table_without_rows_is_not_there(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [group("p", "s", [{"text": "a"}, {"text": "b"}])], lambda a, b: 3)
    assert [table.title for table in more_tables(dj.compare([run]))] == ["What each figure rests on"]


def test_the_page_has_them_and_the_judges_noise(tmp_path: Path) -> None:
    comparison = compared(tmp_path, draws=2)
    page = unescape(write_report(comparison, tmp_path / "report.html").read_text(encoding="utf-8"))
    folded = re.findall(r'<details class="more"><summary>(.*?)</summary>', page)
    assert [table.title for table in more_tables(comparison)] == folded[1:]
    assert "retest noise (standard deviation, points)" in page
    assert "order asymmetry (points)" in page
    assert "every pair scored 4" in page


def test_what_was_never_asked_for_is_not_called_lacking(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [group("p", "s", [{"text": "a"}, {"text": "b"}])], lambda a, b: 3)
    notes = " ".join(dj.compare([run]).notes)
    assert "order_asymmetry" not in notes
    assert "retest_sd" not in notes
    assert "judged_approaches" not in notes


@pytest.mark.parametrize(
    ("scores", "said"),
    [([[5, 4, 4], [4, 5, 4], [4, 4, 5]], "4"), ([[5, 4, 3], [4, 5, 4], [3, 4, 5]], ""), ([[5, 4], [4, 5]], "")],
)
def test_one_score_of_all_pairs_is_said(scores: list[list[float]], said: str) -> None:
    assert only_score(np.array(scores, dtype=float)) == said
