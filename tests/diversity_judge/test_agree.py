"""The command that holds a judge against a reference: what it writes, what it refuses, what it leaves out and says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diversity_judge.agree import main
from diversity_judge.agreeing.figures import agreement_figure
from diversity_judge.agreeing.result import judge_agreement
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.runs.loading import load_run
from diversity_judge.score import main as score
from tests.diversity_judge.judges.test_countdown import SCORES, SOLUTIONS, UNREADABLE
from tests.diversity_judge.run_folders import Score, group, make_run

PROBLEMS = ("p1", "p2", "p3", "007")
STRATEGIES = ("token-normal", "$\\frac{x$ <b>")


def truth(first: Response, second: Response) -> int:
    return (int(first.sample_id) * int(second.sample_id) + int(first.problem_id[-1]) * len(first.strategy)) % 5


def one_more(first: Response, second: Response) -> int:
    return truth(first, second) + 1


def groups(problems: Sequence[str] = PROBLEMS, strategies: Sequence[str] = STRATEGIES, n: int = 5) -> list[Group]:
    return [group(p, s, [{"text": f"{p} {s} {i}"} for i in range(n)]) for p in problems for s in strategies]


def run(path: Path, score_pair: Score = truth, members: Sequence[Group] | None = None, **how: Any) -> Path:
    return make_run(path, groups() if members is None else members, score_pair, judge=f"judge {path.name}", **how)


def agree(*arguments: Path | str) -> int:
    return main([str(argument) for argument in arguments])


def test_a_judge_one_point_above_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert agree(run(tmp_path / "a", one_more), run(tmp_path / "b"), "--out", out) == 0
    table = pd.read_csv(out / "agreement.csv")
    assert table["scope"].tolist() == ["strategy", "strategy", "pooled"]
    assert table["strategy"].tolist()[:2] == list(STRATEGIES)
    assert table["n_pairs"].tolist() == [40, 40, 80]
    assert table["n_problems"].tolist() == [4, 4, 4]
    np.testing.assert_allclose(table["diversity_bias"], -0.2, atol=1e-12)
    np.testing.assert_allclose(table["score_bias"], 1, atol=1e-12)
    np.testing.assert_allclose(table["spearman"], 1, atol=1e-12)
    assert (table["exact_agreement"] == 0).all()
    assert table["judge"][0] == "judge a"
    assert table["reference"][0] == "judge b"
    counts = pd.read_csv(out / "confusion.csv", index_col="score").to_numpy()
    assert counts.shape == (6, 6)
    assert counts.sum() == np.trace(counts, offset=-1) == 80, "the rows are not the tested judge's"
    assert (out / "agreement.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "No bias in diversity is shown: -0.200 [" in shown, "four equal problems cannot show one"
    assert "tested: judge a" in shown


def test_the_columns_are_those_of_the_documentation(tmp_path: Path) -> None:
    agree(run(tmp_path / "a", one_more), run(tmp_path / "b"), "--out", tmp_path / "out")
    said = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    for column in pd.read_csv(tmp_path / "out" / "agreement.csv").columns:
        assert f"`{column}`" in said or column.endswith(("_ci_low", "_ci_high")), column


def test_the_exact_judge_against_itself_and_against_the_proxy(tmp_path: Path) -> None:
    rows = [{"problem_id": f"p{n}", "response": text} for n in range(3) for text in (*SOLUTIONS, UNREADABLE)]
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for judge, code in (("proxy", 0), ("countdown", 3)):
        options = ("--judge", judge, "--out", str(tmp_path / judge), "--no-heatmaps", "--quiet")
        assert score([str(path), *options]) == code
    exact, proxy = load_run(tmp_path / "countdown"), load_run(tmp_path / "proxy")
    same = judge_agreement(exact, exact).pooled
    assert (same.kappa.value, same.exact, same.diversity_bias.value) == (1, 1, 0)
    other = judge_agreement(proxy, exact).pooled
    # 6 of the 21 pairs of a problem hold the response that the exact judge cannot read.
    assert (other.n_pairs, other.n_without_reference, other.n_without_tested) == (45, 18, 0)
    upper = np.triu_indices(len(SOLUTIONS), 1)
    assert other.score_bias == pytest.approx(proxy.matrices["p0", "default"][upper].mean() - SCORES[upper].mean())


def test_groups_of_one_run_only_are_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tested = run(tmp_path / "a", truth, groups(("p1", "p2", "p3"), ("s",)))
    reference = run(tmp_path / "b", truth, groups(("p2", "p3", "p4"), ("s",)))
    assert agree(tested, reference, "--out", tmp_path / "out") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"1 group(s) are judged in {tested} only and left out: p1 / s" in shown
    assert f"1 group(s) are judged in {reference} only and left out: p4 / s" in shown
    assert pd.read_csv(tmp_path / "out" / "agreement.csv")["n_problems"].tolist() == [2, 2]


def test_missing_scores_are_left_out_and_counted(tmp_path: Path) -> None:
    def some(first: Response, second: Response) -> int | None:
        return None if first.sample_id == 0 else truth(first, second)

    found = judge_agreement(load_run(run(tmp_path / "a", some)), load_run(run(tmp_path / "b")))
    n_missing = sum(math.isnan(value) for g in found.groups for value in g.tested)
    assert n_missing
    assert found.pooled.n_left_out == found.pooled.n_without_tested == n_missing
    assert found.pooled.n_pairs == 80 - n_missing
    assert found.pooled.exact == 1
    assert any(f"{n_missing} pair(s) without a score" in note for note in found.notes)


def test_a_thinned_design_is_no_missing_score(tmp_path: Path) -> None:
    tested = load_run(run(tmp_path / "a", truth, pairs_per_group=6))
    found = judge_agreement(tested, load_run(run(tmp_path / "b")))
    assert found.pooled.n_left_out == 0
    assert found.pooled.n_pairs == 6 * 8
    assert found.pooled.diversity_bias.value == 0, "the diversities are not of the same pairs"


def test_both_orders_are_averaged(tmp_path: Path) -> None:
    def by_order(first: Response, second: Response) -> int:
        return 2 if int(first.sample_id) < int(second.sample_id) else 3

    tested = load_run(run(tmp_path / "a", by_order, orders="both"))
    found = judge_agreement(tested, load_run(run(tmp_path / "b", lambda first, second: 2)))
    assert found.pooled.score_bias == pytest.approx(0.5)
    assert found.pooled.n_pairs == 80
    assert any("80 score(s) are means of several judgments and not whole" in note for note in found.notes)


def test_identical_texts_are_counted_as_not_asked(tmp_path: Path) -> None:
    rows = [{"problem_id": "p", "response": text} for text in ("add 2", "add 2", "multiply 3")]
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    score([str(path), "--judge", "proxy", "--out", str(tmp_path / "run"), "--no-heatmaps", "--quiet"])
    loaded = load_run(tmp_path / "run")
    found = judge_agreement(loaded, loaded)
    assert found.pooled.n_unasked == 1
    assert any("1 of the pairs are identical texts" in note for note in found.notes)


@pytest.mark.parametrize("change", ["text", "order", "number"])
def test_other_responses_are_refused(tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {"text": ["a", "b", "x"], "order": ["b", "a", "c"], "number": ["a", "b"]}[change]
    tested = run(tmp_path / "a", truth, [group("p1", "s", [{"text": text} for text in ("a", "b", "c")])])
    reference = run(tmp_path / "b", truth, [group("p1", "s", [{"text": text} for text in texts])])
    assert agree(tested, reference, "--out", tmp_path / "out") == 2
    assert "responses of p1 / s" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_in_common_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tested = run(tmp_path / "a", truth, groups(("p1",)))
    assert agree(tested, run(tmp_path / "b", truth, groups(("p2",)))) == 2
    assert "no judged group" in capsys.readouterr().err
    assert agree(tested, run(tmp_path / "c", lambda first, second: None, groups(("p1",)))) == 2
    assert "no pair in common that both judges have scored" in capsys.readouterr().err


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text('{"problem_id": "p", "response": "x"}\n')
    judged = run(tmp_path / "a")
    assert agree(judged, path) == 2
    assert "without a judge" in capsys.readouterr().err
    assert agree(judged, tmp_path / "nowhere") == 2
    assert agree(judged) == 2
    assert "name one reference" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("a file")
    assert agree(run(tmp_path / "a"), run(tmp_path / "b"), "--out", tmp_path / "out") == 1
    assert "cannot write" in capsys.readouterr().err


def test_it_is_a_command_of_the_package(tmp_path: Path) -> None:
    run(tmp_path / "a")
    words = ["agree", str(tmp_path / "a"), str(tmp_path / "a"), "--out", str(tmp_path / "out"), "--quiet"]
    done = subprocess.run([sys.executable, "-m", "diversity_judge", *words], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "out" / "agreement.csv").is_file()


def test_the_figure_names_the_judges_and_shows_every_count(tmp_path: Path) -> None:
    found = judge_agreement(load_run(run(tmp_path / "a", one_more)), load_run(run(tmp_path / "b")))
    figure = agreement_figure(found)
    maps, points = figure.axes[:2]
    shown = sum(int(text.get_text()) for text in maps.texts)
    assert shown == 80
    assert "tested: judge a\nreference: judge b" in figure.get_supxlabel()
    legend = points.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [f"{s} (n = 4)" for s in STRATEGIES]
    assert "bias -0.20" in points.get_title(loc="left")
