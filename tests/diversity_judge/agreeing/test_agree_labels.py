"""`agree --labels`: a judge against people's scores, against similar or not, and beside people among themselves."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import diversity_judge as dj
from diversity_judge.agree import main
from diversity_judge.inputs.responses import Response
from diversity_judge.score import main as score
from tests.diversity_judge.run_folders import group, make_run

DATA = Path(__file__).parents[1] / "data"
PROBLEMS, STRATEGIES, N = ("p1", "p2", "p3", "p4", "p5"), ("s", "t"), 5


def truth(first: Response, second: Response) -> int:
    return (int(first.sample_id) * int(second.sample_id) + int(first.problem_id[-1]) * len(first.strategy)) % 5


def one_more(first: Response, second: Response) -> int:
    return truth(first, second) + 1


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    groups = [group(p, s, [{"text": f"{p} {s} {i}"} for i in range(N)]) for p in PROBLEMS for s in STRATEGIES]
    return make_run(tmp_path_factory.mktemp("agree") / "run", groups, one_more, judge="judge <b>")


Say = Callable[[str, int, int], int]


def true_score(problem: str, i: int, j: int) -> int:
    return (i * j + int(problem[-1])) % 5


def labels(path: Path, people: dict[str, Say], column: str = "score") -> Path:
    rows = [
        {"problem_id": p, "strategy": s, "first": str(i), "second": str(j), "annotator": name, column: say(p, i, j)}
        for name, say in people.items()
        for p in PROBLEMS
        for s in STRATEGIES
        for i in range(N)
        for j in range(i + 1, N)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_one_person_is_a_reference_like_a_judge(
    tmp_path: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = labels(tmp_path / "labels.jsonl", {"Ann": true_score})
    out = tmp_path / "out"
    assert main([str(run_folder), "--labels", str(file), "--out", str(out)]) == 0
    table = pd.read_csv(out / "agreement.csv")
    assert table["n_pairs"].tolist() == [50, 50, 100]
    np.testing.assert_allclose(table["diversity_bias"], -0.2, atol=1e-12)
    assert table["reference"][0] == "1 person, labels.jsonl"
    assert (out / "agreement.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "raters.csv").exists(), "one person agrees with nobody"
    assert "reference: 1 person, labels.jsonl" in capsys.readouterr().out


def test_several_people_stand_beside_the_judge(
    tmp_path: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lower(problem: str, i: int, j: int) -> int:
        return max(0, true_score(problem, i, j) - 1)

    file = labels(tmp_path / "labels.jsonl", {"Ann": true_score, "Bob": true_score, "Cy": lower})
    out = tmp_path / "out"
    assert main([str(run_folder), "--labels", str(file), "--out", str(out)]) == 0
    raters = pd.read_csv(out / "raters.csv").set_index(["one", "other"])
    assert len(raters) == 6
    assert raters.loc[("Ann", "Bob"), "exact_agreement"] == 1
    assert raters.loc[("the judge", "Ann"), "bias"] == pytest.approx(1)
    assert raters.loc[("the judge", "Ann"), "within_one"] == 1
    test = pd.read_csv(out / "alt_test.csv")
    assert test["scope"].tolist() == ["person"] * 3 + ["pooled"]
    # The judge says one more than Ann and Bob always, so that it never is as close to the others as Ann or Bob is.
    assert test["judge_wins"].tolist()[:2] == [0, 0]
    assert test["omega"].tolist()[-1] == pytest.approx(0)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Alt-test: the judge wins against 0 of 3 people (omega 0.00, epsilon 0.2)" in shown
    assert "Krippendorff's alpha: people" in shown


def test_two_people_are_enough_and_three_are_advised(tmp_path: Path, run_folder: Path) -> None:
    file = labels(tmp_path / "labels.jsonl", {"Ann": true_score, "Bob": true_score})
    found = dj.agree(run_folder, labels=file)
    assert found.people is not None
    assert not math.isnan(found.people.test.omega)
    assert any("three or more are advised" in note for note in found.notes)
    assert "Ann" in repr(found)
    assert "<table>" in found._repr_html_()


def similar(problem: str, i: int, j: int) -> int:
    return int(true_score(problem, i, j) >= 3)


def test_similar_or_not_finds_the_threshold(
    tmp_path: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = labels(tmp_path / "labels.jsonl", {"Ann": similar, "Bob": similar, "Cy": similar}, "similar")
    out = tmp_path / "out"
    # Of strategy `t` the judge's scores are the same, since both names have one letter.
    assert main([str(run_folder), "--labels", str(file), "--out", str(out)]) == 0
    table = pd.read_csv(out / "binary.csv")
    assert table["scope"].tolist() == ["strategy", "strategy", "pooled"]
    assert table["auc"].tolist() == [1, 1, 1]
    assert table["threshold"].tolist() == [4, 4, 4], "the judge gives one more than the truth"
    assert not (out / "agreement.csv").exists()
    assert (out / "agreement.png").read_bytes().startswith(b"\x89PNG")
    assert pd.read_csv(out / "raters.csv")["exact_agreement"].tolist() == [1] * 6
    assert "called similar from 4 on" in " ".join(capsys.readouterr().out.split())


def test_pairs_on_which_people_are_split_are_left_out(tmp_path: Path, run_folder: Path) -> None:
    def other(problem: str, i: int, j: int) -> int:
        return similar(problem, i, j) if i else 1 - similar(problem, i, j)

    found = dj.agree(run_folder, labels=labels(tmp_path / "labels.jsonl", {"Ann": similar, "Bob": other}, "similar"))
    assert found.binary[-1].n_pairs == 60
    assert any("40 pair(s) that people are evenly split on" in note for note in found.notes)


def test_an_earlier_agreement_leaves_nothing_behind(tmp_path: Path, run_folder: Path) -> None:
    out = tmp_path / "out"
    two = labels(tmp_path / "two.jsonl", {"Ann": true_score, "Bob": true_score})
    binary = labels(tmp_path / "one.jsonl", {"Ann": similar}, "similar")
    assert main([str(run_folder), "--labels", str(two), "--out", str(out), "--quiet"]) == 0
    assert main([str(run_folder), "--labels", str(binary), "--out", str(out), "--quiet"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["agree.json", "agreement.png", "binary.csv"]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([*map(str, arguments)]) == 2
    return " ".join(capsys.readouterr().err.split())


def test_one_reference_is_named(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name one reference" in refusal(capsys, run_folder)
    assert "name one reference" in refusal(capsys, run_folder, run_folder, "--labels", "x")
    assert "--epsilon is a share" in refusal(capsys, run_folder, "--labels", "x", "--epsilon", "1.5")
    with pytest.raises(dj.InputError, match="name one reference"):
        dj.agree(run_folder)  # type: ignore[call-overload]


def test_labels_of_other_pairs_are_named_or_left_out_and_counted(
    tmp_path: Path, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = labels(tmp_path / "labels.jsonl", {"Ann": true_score})
    with file.open("a") as more:
        more.write(json.dumps({"problem_id": "p9", "strategy": "s", "first": 0, "second": 1, "score": 1}) + "\n")
    said = refusal(capsys, run_folder, "--labels", file, "--out", tmp_path / "out")
    assert "labels.jsonl:101: the run has no judged group p9 / s" in said
    assert not (tmp_path / "out").exists()
    found = dj.agree(run_folder, labels=file, skip_unknown=True)
    assert found.scores is not None
    assert found.scores.pooled.n_pairs == 100
    assert any("1 label(s) of pairs that are not in the run" in note for note in found.notes)


def test_published_pairs_are_judged_and_held_against_their_labels_as_they_are(tmp_path: Path) -> None:
    pairs = tmp_path / "human_pairs.jsonl"
    pairs.write_bytes(gzip.decompress((DATA / "human_pairs.jsonl.gz").read_bytes()))
    run = tmp_path / "run"
    assert score([str(pairs), "--judge", "proxy", "--out", str(run), "--no-heatmaps", "--quiet"]) == 0
    found = dj.agree(run, labels=pairs)
    rows: list[dict[str, Any]] = [json.loads(line) for line in pairs.read_text(encoding="utf-8").splitlines()]
    matrices = dj.load_run(run).matrices
    expected = roc_auc_score([row["similar"] for row in rows], [matrices[r["pair_id"], "default"][0, 1] for r in rows])
    assert found.binary[-1].n_pairs == len(rows) == 100
    assert found.binary[-1].auc.value == pytest.approx(expected)
    assert 0.6 < expected < 0.95
