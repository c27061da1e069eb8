"""What a paper copies: tables that say what the CSV files say, and a paragraph that the runs themselves wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from diversity_judge.compare import main
from tests.diversity_judge.run_folders import group, make_run

NASTY = "a|b & 50 % $x_1$ {c} \\d ~e^f #1 <b>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("paper")
    members = [{"text": f"response {i}", "correct": i < 2, "answer": str(i)} for i in range(4)]
    groups = [group(f"p{p}", s, members) for p in range(7) for s in ("token-normal", NASTY)]
    run = make_run(place / "run", groups, lambda a, b: 3 if a.strategy == NASTY else 4 - int(a.problem_id[1]) % 2)
    assert main([str(run), "--out", str(place / "out"), "--no-figures", "--no-report", "--quiet"]) == 0
    return place / "out"


def rows_of(markdown: str, caption: str) -> list[list[str]]:
    """Cells of the table below a caption."""
    lines = markdown[markdown.index(caption) :].splitlines()[2:]
    table = lines[: lines.index("")] if "" in lines else lines
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def test_the_markdown_tables_say_what_the_csv_files_say(folder: Path) -> None:
    shown = rows_of((folder / "tables.md").read_text(), "Process diversity")
    process = pd.read_csv(folder / "process.csv").query("metric == 'diversity'").set_index("strategy")
    assert shown[0][:3] == ["strategy", "problems", "process diversity"]
    for name, problems, diversity, *_ in shown[2:]:
        row = process.loc[name.replace("\\|", "|")]
        assert (problems, diversity) == (str(row.n_problems), f"{row.value:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}]")


def test_every_line_of_a_table_has_as_many_cells(folder: Path) -> None:
    for caption in ("Process diversity", "Outcomes a strategy", "Differences to token-normal"):
        assert len({len(row) for row in rows_of((folder / "tables.md").read_text(), caption)}) == 1


def test_no_name_is_latex(folder: Path) -> None:
    """Every special character is escaped, environments are closed, and every row has the columns that are declared."""
    tex = (folder / "tables.tex").read_text()
    assert tex.count("\\begin{") == tex.count("\\end{")
    for columns, body in re.findall(r"\\begin\{tabular\}\{(l\w*)\}\n\\toprule\n(.*?)\\bottomrule", tex, re.DOTALL):
        for line in (line for line in body.splitlines() if line != "\\midrule"):
            assert line.endswith(r" \\")
            assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
            plain = re.sub(r"\\(text\w+\{\}|[&%$#_{}\\])", "", line)
            assert not set(plain) & set("%$#_{}~^<>|\\"), plain


def test_the_methods_name_judge_prompt_pairs_test_and_versions(folder: Path) -> None:
    text = (folder / "methods.md").read_text()
    for said in (
        "7 problems under 2 sampling strategies",
        "4 responses a problem and strategy",
        "given by a judge",
        "all pairs of a group",
        "each in one order",
        "paired on problems",
        "Holm among the 1 comparison of a metric",
        "diversity_judge 0.",
        "arXiv 2602.02443",
    ):
        assert said in text, said


def test_without_the_libraries_of_the_report_all_else_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("diversity_judge.report.find_spec", lambda name: None if name == "latex2mathml" else object())
    run = folder.parent / "run"
    assert main([str(run), "--out", str(tmp_path / "out"), "--no-figures"]) == 0
    assert "no report: report.html needs latex2mathml: pip install 'diversity-judge[report]'" in capsys.readouterr().out
    assert (tmp_path / "out" / "process.csv").is_file()
    assert not (tmp_path / "out" / "report.html").exists()
