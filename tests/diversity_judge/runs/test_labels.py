"""Files of labels: what is read, what is refused with file and line, and which pair of a run a label is of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Response
from diversity_judge.runs.labelled import match_labels
from diversity_judge.runs.labels import Labels, read_labels, text_digest
from diversity_judge.runs.loading import load_run
from tests.diversity_judge.run_folders import group, make_run

IDS = {"problem_id": "p1", "strategy": "s", "first": "0", "second": "1"}


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(tmp_path: Path, *rows: Mapping[str, Any]) -> Labels:
    return read_labels(write(tmp_path / "labels.jsonl", rows))


def refusal(tmp_path: Path, *rows: Mapping[str, Any]) -> str:
    with pytest.raises(InputError) as error:
        read(tmp_path, *rows)
    return str(error.value).replace(str(tmp_path), "")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    groups = [group(problem, "s", [{"text": f"{problem} says {n}"} for n in range(4)]) for problem in ("p1", "p2")]

    def score(first: Response, second: Response) -> int | None:
        pair = {int(first.sample_id), int(second.sample_id)}
        return None if pair == {2, 3} else sum(pair)

    return make_run(tmp_path_factory.mktemp("labels") / "run", groups, score)


def test_a_csv_is_read_as_json_lines_are(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(
        "problem_id,strategy,first,second,annotator,score,probability\np1,s,0,1,Ann,4,0.25\np1,s,1,2,Ann,0,\n"
    )
    found = read_labels(tmp_path / "labels.csv")
    assert [row.value for row in found.rows] == [4, 0]
    assert found.rows[0].ids == ("p1", "s", "0", "1")
    assert found.rows[0].probability == 0.25
    assert math.isnan(found.rows[1].probability)
    assert found.annotators == ("Ann",)
    assert not found.is_binary
    assert found.rows[1].place.endswith("labels.csv:3")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (IDS | {"score": 6}, ":1: score is 6; write a whole number from 0 to 5"),
        (IDS | {"score": 2.5}, ":1: score is 2.5; write a whole number"),
        (IDS | {"score": "good"}, ":1: score is 'good'"),
        (IDS | {"score": None}, ":1: has no score"),
        (IDS | {"similar": 2}, ":1: similar is 2; write a whole number from 0 to 1"),
        (IDS, "no row has a score (0..5) or a similar (0 or 1)"),
        (IDS | {"score": 1, "similar": 1}, "holds both score and similar"),
        ({"problem_id": "p1", "score": 1}, ":1: names no pair"),
        (IDS | {"first": "1", "score": 1}, ":1: pairs the response 1 with itself"),
        ({"response_a": "a", "response_b": 3, "score": 1}, ":1: response_b is a number"),
        (IDS | {"score": 1, "kind": "odd"}, ":1: kind is 'odd'"),
        (IDS | {"score": 1, "probability": 1.5}, ":1: probability is 1.5"),
        (IDS | {"score": 1, "n_pairs": 0}, ":1: n_pairs is 0"),
    ],
)
def test_a_row_that_cannot_be_meant_is_named(tmp_path: Path, row: Mapping[str, Any], said: str) -> None:
    assert said in refusal(tmp_path, row)


def test_all_faults_are_named_at_once_and_cut_lines_too(tmp_path: Path) -> None:
    path = write(tmp_path / "l.jsonl", [IDS | {"score": 9}, IDS | {"score": 8}])
    path.write_text(path.read_text() + '{"problem_id": "p')
    with pytest.raises(InputError) as error:
        read_labels(path)
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["1", "2", "3"]


def test_one_person_labels_a_pair_once(tmp_path: Path) -> None:
    turned = IDS | {"first": "1", "second": "0"}
    assert "labels.jsonl:2: labels the pair of" in refusal(tmp_path, IDS | {"score": 1}, turned | {"score": 2})
    people = read(tmp_path, IDS | {"score": 1, "annotator": "A"}, turned | {"score": 2, "annotator": "B"})
    assert people.annotators == ("A", "B")


def test_labels_find_their_pair_by_ids_and_by_texts(tmp_path: Path, run_folder: Path) -> None:
    run = load_run(run_folder)
    by_ids = IDS | {"first": "3", "second": "1", "score": 2, "annotator": "A"}
    by_text = {"response_a": "p2 says 1", "response_b": "p2 says 0", "score": 5, "annotator": "A"}
    found = match_labels(run, read(tmp_path, by_ids, by_text))
    assert [(p.problem_id, p.first, p.second, p.judge, p.label) for p in found.pairs] == [
        ("p1", 1, 3, 4.0, 2.0),
        ("p2", 0, 1, 1.0, 5.0),
    ]


def test_labels_of_several_people_meet_on_one_pair(tmp_path: Path, run_folder: Path) -> None:
    rows = [IDS | {"score": 1, "annotator": "A"}, IDS | {"first": "1", "second": "0", "score": 4, "annotator": "B"}]
    (pair,) = match_labels(load_run(run_folder), read(tmp_path, *rows)).pairs
    assert pair.labels == {"A": 1, "B": 4}
    assert pair.label == 2.5


def test_a_pair_without_a_score_of_the_judge_is_missing(tmp_path: Path, run_folder: Path) -> None:
    (pair,) = match_labels(load_run(run_folder), read(tmp_path, IDS | {"first": "2", "second": "3", "score": 1})).pairs
    assert math.isnan(pair.judge)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"problem_id": "p9"}, "the run has no judged group p9 / s"),
        ({"second": "7"}, "p1 / s has no sample 7"),
        (
            {"first_sha256": text_digest("p1 says 0"), "second_sha256": text_digest("else")},
            "sample 1 of p1 has another text in the run than was labelled",
        ),
    ],
)
def test_labels_of_other_pairs_are_refused_with_their_line(
    tmp_path: Path, run_folder: Path, change: Mapping[str, Any], said: str
) -> None:
    labels = read(tmp_path, IDS | {"first": "2", "score": 0}, IDS | {"score": 1} | dict(change))
    with pytest.raises(InputError) as error:
        match_labels(load_run(run_folder), labels)
    assert f"labels.jsonl:2: {said}" in str(error.value)
    assert "agree leaves such labels out with --skip-unknown" in str(error.value), "other commands have no such option"
    found = match_labels(load_run(run_folder), labels, skip_unknown=True)
    assert (len(found.pairs), found.n_unknown) == (1, 1)


def test_texts_that_no_group_holds_together_are_refused(tmp_path: Path, run_folder: Path) -> None:
    labels = read(tmp_path, {"response_a": "p1 says 0", "response_b": "p2 says 0", "score": 5})
    with pytest.raises(InputError, match="no group with these two texts"):
        match_labels(load_run(run_folder), labels)
