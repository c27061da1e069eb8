"""`compare --labels` and `--reference`: what is corrected, what is written of it, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.compare import main as compare
from diversity_judge.runs.loading import load_run
from diversity_judge.score import main as score

GAME24 = Path(__file__).parent / "data" / "game24.jsonl"
OFF = ("--no-heatmaps", "--quiet")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two strategies on six problems, scored by the proxy judge and by the exact one, all pairs and some."""
    folder = tmp_path_factory.mktemp("corrected")
    rows = [json.loads(line) for line in GAME24.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        at = row["sample_id"]
        row["problem_id"] += "-first" if at < 16 else "-second"
        row["strategy"] = "odd" if at % 2 else "even"
        row["response"] += f"\n# {at}"  # no two texts are the same
    (folder / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name, options in {
        "judge": ("--judge", "proxy"),
        "truth": ("--judge", "countdown"),
        "some": ("--judge", "countdown", "--pairs-per-group", "12"),
        "thin": ("--judge", "proxy", "--pairs-per-group", "6", "--seed", "9"),
    }.items():
        assert score([str(folder / "r.jsonl"), *options, "--out", str(folder / name), *OFF]) in (0, 3)
    return folder


def run(place: Path, out: Path, *options: str, judge: str = "judge") -> int:
    return compare([str(place / judge), "--out", str(out), "--no-figures", "--no-report", *options])


def write_labels(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def labels(place: Path, **changes: Any) -> list[dict[str, Any]]:
    """The exact judge's scores of 3 of the 28 pairs of each group, as people's labels."""
    generator = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for group in load_run(place / "truth").groups:
        first, second = np.triu_indices(len(group.responses), 1)
        for at in generator.choice(len(first), 3, replace=False):
            i, j = int(first[at]), int(second[at])
            value = group.matrix.symmetric()[i, j]
            names: dict[str, Any] = {"problem_id": group.problem_id, "strategy": group.strategy}
            names |= {"first": group.responses[i].sample_id, "second": group.responses[j].sample_id}
            chance = {"probability": 3 / 28, "group_probability": 1, "n_pairs": 28, "n_asked": 28}
            rows.append(names | {"score": int(value), "annotator": "ann"} | chance | changes)
    return rows


def rows_of(out: Path) -> Mapping[tuple[str, str], Any]:
    table = pd.read_csv(out / "corrected.csv", keep_default_na=False, na_values={"labels_needed": [""]})
    return {(str(row.strategy), str(row.baseline)): row for row in table.itertuples()}


def test_with_all_pairs_of_the_reference_the_corrected_diversity_is_the_references(place: Path, tmp_path: Path) -> None:
    assert run(place, tmp_path, "--reference", str(place / "truth")) == 0
    found, truth = rows_of(tmp_path), load_run(place / "truth").strategies.set_index("strategy")["diversity"]
    for strategy in ("even", "odd"):
        assert found[strategy, ""].corrected == pytest.approx(truth[strategy], rel=1e-9)
    assert found["odd", "even"].corrected == pytest.approx(truth["odd"] - truth["even"], abs=1e-9)


def test_a_reference_of_the_same_judge_is_said_to_correct_nothing(place: Path) -> None:
    said = "is of the judge that it is to correct"
    assert any(said in note for note in dj.compare(place / "judge", reference=load_run(place / "judge")).notes)
    assert not any(said in note for note in dj.compare(place / "judge", reference=load_run(place / "some")).notes)


def test_some_pairs_of_the_reference_bring_the_judge_to_it(place: Path, tmp_path: Path) -> None:
    assert run(place, tmp_path, "--reference", str(place / "some")) == 0
    truth = load_run(place / "truth").strategies.set_index("strategy")["diversity"]
    judge = load_run(place / "judge").strategies.set_index("strategy")["diversity"]
    for strategy, row in ((name, rows_of(tmp_path)[name, ""]) for name in ("even", "odd")):
        assert row.uncorrected == pytest.approx(judge[strategy])
        assert abs(row.corrected - truth[strategy]) < abs(row.uncorrected - truth[strategy]) / 3
        assert row.ci_low < truth[strategy] < row.ci_high
        assert (row.n_problems, row.n_labels) == (6, 72)
    written = json.loads((tmp_path / "compare.json").read_text())
    assert any(sentence.startswith("Corrected by the reference") for sentence in written["sentences"])
    assert written["options"]["reference"] == str(place / "some")


def test_labels_correct_as_their_definition_says(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = labels(place)
    assert run(place, tmp_path, "--labels", str(write_labels(tmp_path / "labels.csv", rows))) == 0
    assert "corrected for the judge" in capsys.readouterr().out
    found = rows_of(tmp_path)["even", ""]
    groups = {(g.problem_id, g.strategy): g for g in load_run(place / "judge").groups}
    y = np.array([row["score"] for row in rows], dtype=float)
    f = []
    for row in rows:
        group = groups[row["problem_id"], row["strategy"]]
        at = {response.sample_id: k for k, response in enumerate(group.responses)}
        f.append(group.matrix.symmetric()[at[row["first"]], at[row["second"]]])
    values = []
    for name, group in groups.items():
        rest = np.array([row["problem_id"] != name[0] for row in rows])
        even = np.array([row["strategy"] == "even" for row in rows], dtype=float)
        design = np.column_stack([f, even, 1 - even])[rest]
        slope = np.linalg.lstsq(design, y[rest], rcond=None)[0][0]
        mine = np.array([(row["problem_id"], row["strategy"]) == name for row in rows])
        if name[1] == "even":
            values.append(slope * 5 * (1 - group.diversity.value) + (y[mine] - slope * np.array(f)[mine]).mean())
    assert found.corrected == pytest.approx(1 - np.mean(values) / 5, rel=1e-9)
    assert found.n_labels == 18


def test_python_takes_labels_and_a_run(place: Path, tmp_path: Path) -> None:
    path = write_labels(tmp_path / "labels.csv", labels(place))
    by_labels = dj.compare(place / "judge", labels=path)
    by_run = dj.compare(place / "judge", reference=load_run(place / "some"))
    assert [row.strategy for row in by_labels.corrected] == ["even", "odd", "odd"]
    assert by_run.corrected[0].n_labels == 72
    assert not dj.compare(place / "judge").corrected


def test_without_labels_no_table_is_left_of_an_earlier_comparison(place: Path, tmp_path: Path) -> None:
    assert run(place, tmp_path, "--reference", str(place / "some")) == 0
    assert run(place, tmp_path) == 0
    assert not (tmp_path / "corrected.csv").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"probability": "", "n_asked": ""}, "18 of 36 labels have no probability"),
        ({"strategy": "nobody's"}, "no judged group"),
    ],
)
def test_labels_that_are_no_known_sample_are_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    rows = labels(place)
    rows = [row | (changes if row["strategy"] == "odd" else {}) for row in rows]
    assert run(place, tmp_path, "--labels", str(write_labels(tmp_path / "labels.csv", rows))) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str, judge: str = "judge"
) -> str:
    capsys.readouterr()
    assert run(place, tmp_path / "out", *options, judge=judge) == 2
    return " ".join(capsys.readouterr().err.split())


def test_what_corrects_nothing_is_refused(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary = [{k: v for k, v in row.items() if k != "score"} | {"similar": 1} for row in labels(place)]
    path = str(write_labels(tmp_path / "labels.csv", binary))
    assert "only whether two responses are similar" in refused(place, tmp_path, capsys, "--labels", path)
    reference = ("--reference", str(place / "some"))
    assert "by one of them" in refused(place, tmp_path, capsys, "--labels", path, *reference)
    assert "--complete-only" in refused(place, tmp_path, capsys, *reference, "--complete-only")
    unjudged = refused(place, tmp_path, capsys, "--reference", str(place / "r.jsonl"))
    assert "without a judge" in unjudged
    assert "give both runs the same --seed" in refused(place, tmp_path, capsys, *reference, judge="thin")


def test_a_reference_whose_pairs_are_not_what_its_seed_draws_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "chosen"
    folder.mkdir()
    for path in (place / "some").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((folder / "run.json").read_text())
    manifest["design"]["seed"] = 5
    (folder / "run.json").write_text(json.dumps(manifest))
    said = refused(place, tmp_path, capsys, "--reference", str(folder))
    assert "are not those that --pairs-per-group 12 --seed 5 draws" in said


def test_a_reference_that_began_with_all_pairs_of_which_some_stand_the_other_way_round_is_a_sample(
    place: Path, tmp_path: Path
) -> None:
    """About half of a thinned design's pairs were oriented otherwise when all pairs were judged, and stay so."""
    folder = tmp_path / "truth"
    folder.mkdir()
    for path in (place / "truth").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    again = (str(place / "r.jsonl"), "--judge", "countdown", "--pairs-per-group", "12", "--out", str(folder), *OFF)
    assert score(list(again)) in (0, 3)
    assert run(place, tmp_path / "out", "--reference", str(folder)) == 0
    assert rows_of(tmp_path / "out")["even", ""].n_labels == 72
