"""Several judges over the same responses: their mean as a run, how they agree, and what is no panel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.compare import main as compare
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.panel import main
from diversity_judge.reliability import main as reliability
from tests.diversity_judge.run_folders import Score, group, make_run

PROBLEMS, STRATEGIES, N = ("p1", "p2", "p3", "p4"), ("s", "t"), 5


def groups(problems: Sequence[str] = PROBLEMS, text: str = "") -> list[Group]:
    return [group(p, s, [{"text": f"{p} {s} {i} {text}"} for i in range(N)]) for p in problems for s in STRATEGIES]


def low(first: Response, second: Response) -> int:
    return (int(first.sample_id) * int(second.sample_id) + int(first.problem_id[-1])) % 5


def high(first: Response, second: Response) -> int:
    return low(first, second) + 1


def gaps(first: Response, second: Response) -> int | None:
    return None if {first.sample_id, second.sample_id} == {0, 1} else low(first, second)


def run(path: Path, score: Score, members: Sequence[Group] | None = None, prompt: str = "", **how: object) -> Path:
    return make_run(
        path,
        members or groups(),
        score,
        judge=f"judge {path.name}",
        prompt=prompt or path.name,
        **how,  # type: ignore[arg-type]
    )


def test_the_mean_is_a_run_that_compare_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, out = run(tmp_path / "a", low), run(tmp_path / "b", high), tmp_path / "mean"
    assert main([str(a), str(b), "--out", str(out)]) == 0
    mean, one, other = dj.load_run(out), dj.load_run(a), dj.load_run(b)
    for key, matrix in mean.matrices.items():
        np.testing.assert_allclose(matrix, (one.matrices[key] + other.matrices[key]) / 2, equal_nan=True)
    assert (mean.scores["diversity"] - one.scores["diversity"]).to_numpy() == pytest.approx(-0.1)
    assert mean.scores["retest_sd"].isna().all(), "two judges are no two draws of one"
    assert mean.judge == "mean of 2 judges: judge a; judge b"
    assert len(list((out / "heatmaps").glob("*.png"))) == len(PROBLEMS)
    shown = " ".join(capsys.readouterr().out.split())
    assert "A panel of 2 judges" in shown
    assert "next: python -m diversity_judge.compare" in shown
    assert compare([str(out), "--out", str(tmp_path / "compare"), "--quiet"]) == 0
    assert (tmp_path / "compare" / "report.html").is_file()
    assert compare([str(out), str(a), "--out", str(tmp_path / "c2"), "--quiet"]) == 2, "a panel is another instrument"


def test_the_tables_say_who_agrees_with_whom(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a", low), run(tmp_path / "b", high), run(tmp_path / "c", low)]
    out = tmp_path / "mean"
    assert main([*map(str, runs), "--out", str(out), "--no-heatmaps", "--quiet"]) == 0
    table = pd.read_csv(out / "panel_agreement.csv").query("scope == 'pooled'")
    assert table[table["one"] == "judge 1"]["bias"].tolist() == pytest.approx([-1, 0])
    assert table[table["one"] == "judge 1"]["exact_agreement"].tolist() == pytest.approx([0, 1])
    assert table[table["one"] == "all judges"]["alpha"].tolist()[0] < 1
    variance = pd.read_csv(out / "panel_variance.csv").query("scope == 'pooled'")
    # Judges differ by a constant: 0, 1, 0 have the variance 1/3, and nothing else is theirs.
    assert variance["component"].tolist() == ["pair", "judge", "disagreement"]
    assert variance["variance"].tolist()[1:] == pytest.approx([1 / 3, 0], abs=1e-12)
    diversity = pd.read_csv(out / "panel_diversity.csv").query("scope == 'pooled'")["diversity"].tolist()
    assert diversity[0] - diversity[1] == pytest.approx(0.2)
    assert json.loads((out / "run.json").read_text())["instrument"]["judge"] == "panel"
    assert {"panel_agreement.csv", "panel_variance.csv"} <= set(json.loads((out / "run.json").read_text())["files"])


def test_a_pair_that_a_judge_lacks_is_missing_unless_said(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a", high), run(tmp_path / "b", gaps)]
    strict, loose = dj.panel(runs), dj.panel(runs, fewer_judges=True)
    assert np.isnan(strict.run.matrices["p1", "s"][0, 1])
    assert loose.run.matrices["p1", "s"][0, 1] == dj.load_run(runs[0]).matrices["p1", "s"][0, 1]
    assert set(strict.run.pairs["missing"]) == {"", "panel_incomplete"}
    assert any("8 pairs that a judge lacks have no score in the mean" in note for note in strict.notes)
    assert any("get the mean of the others" in note for note in loose.notes)
    assert strict.pooled.variance.n_pairs == 8 * (N * (N - 1) // 2 - 1)


def test_compare_takes_a_panel_from_memory(tmp_path: Path) -> None:
    found = dj.panel([run(tmp_path / "a", low), run(tmp_path / "b", high)])
    assert dj.compare(found).strategies == STRATEGIES
    assert "judge 1" in repr(found)
    assert "<table>" in found._repr_html_()
    assert "the judges'" in found.sentence


def test_real_judges_form_a_panel(tmp_path: Path) -> None:
    rows = [
        {"problem_id": f"p{n}", "response": text, "strategy": "s"}
        for n in range(3)
        for text in (
            "6 * 11 = 66 left 12 2 66 ;",
            "6 * 11 = 66 left 12 2 66 ;",
            "12 * 2 = 24 left 6 11 24 ;",
            "6 + 2 = 8 left 8 ;",
        )
    ]
    runs = [dj.score(rows, judge=judge) for judge in ("proxy", "countdown")]
    found = dj.panel(runs, out=tmp_path / "mean", heatmaps=False)
    matrix = dj.load_run(tmp_path / "mean").matrices["p0", "s"]
    np.testing.assert_allclose(matrix, (runs[0].matrices["p0", "s"] + runs[1].matrices["p0", "s"]) / 2, equal_nan=True)
    assert matrix[0, 1] == 5
    assert found.run.instrument.model == " + ".join(str(one.run.instrument.model) for one in runs)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([*map(str, arguments)]) == 2
    return " ".join(capsys.readouterr().err.split())


def test_what_is_no_panel_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, out = run(tmp_path / "a", low), tmp_path / "out"
    assert "needs two runs or more" in refusal(capsys, a, "--out", out)
    twin = make_run(tmp_path / "twin", groups(), low, judge="judge a", prompt="a")
    assert "are of one instrument" in refusal(capsys, a, twin, "--out", out)
    both = run(tmp_path / "both", low, orders="both")
    assert "were not taken alike: orders one and both" in refusal(capsys, a, both, "--out", out)
    other = run(tmp_path / "other", low, groups(text="else"))
    assert "other responses of p1 / s" in refusal(capsys, a, other, "--out", out)
    strange = run(tmp_path / "strange", low, groups(("q1",)))
    assert "no judged group (problem and strategy) in common" in refusal(capsys, a, strange, "--out", out)
    example = Path(__file__).parents[2] / "examples" / "responses.jsonl"
    assert "without a judge" in refusal(capsys, a, example, "--out", out)
    assert not out.exists()


def test_groups_of_some_judges_only_are_named_and_left_out(tmp_path: Path) -> None:
    found = dj.panel([run(tmp_path / "a", low), run(tmp_path / "b", high, groups(PROBLEMS[:2]))])
    assert len(found.groups) == 4
    assert any("4 groups of" in note and "p3 / s" in note for note in found.notes)


def test_another_run_in_the_folder_is_kept_unless_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, c = run(tmp_path / "a", low), run(tmp_path / "b", high), run(tmp_path / "c", high)
    quiet = ("--no-heatmaps", "--quiet")
    assert main([str(a), str(b), "--out", str(tmp_path / "mean"), *quiet]) == 0
    assert main([str(a), str(b), "--out", str(tmp_path / "mean"), *quiet]) == 0
    assert "holds a run with" in refusal(capsys, a, c, "--out", tmp_path / "mean", *quiet)
    assert main([str(a), str(c), "--out", str(tmp_path / "mean"), "--overwrite", *quiet]) == 0
    assert "holds a run with" in refusal(capsys, a, b, "--out", a, *quiet), "a judge's own run is never replaced"


def test_a_panel_cannot_be_asked_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mean"
    a, b = run(tmp_path / "a", low), run(tmp_path / "b", high)
    assert main([str(a), str(b), "--out", str(out), "--no-heatmaps", "--quiet"]) == 0
    capsys.readouterr()
    assert reliability([str(out), "--out", str(tmp_path / "r")]) == 2
    assert "a panel's mean has no judge that could be asked; probe the run of each" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_broken_score_of_a_panel_is_named(tmp_path: Path) -> None:
    out = tmp_path / "mean"
    dj.panel([run(tmp_path / "a", low), run(tmp_path / "b", high)], out=out, heatmaps=False)
    table = (out / "pairs.csv").read_text().splitlines()
    cells = table[1].split(",")
    cells[5] = "7.5"
    (out / "pairs.csv").write_text("\n".join([table[0], ",".join(cells), *table[2:]]) + "\n")
    with pytest.raises(dj.InputError, match=r"'7.5' in row 1 is no score"):
        dj.load_run(out)
