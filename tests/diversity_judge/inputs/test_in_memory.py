"""Responses that are in memory are read as the same rows in a file would be, and refused with the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diversity_judge.errors import InputError
from diversity_judge.inputs.in_memory import read_rows
from diversity_judge.inputs.reading import ReadResult, read_responses

ROWS: list[dict[str, Any]] = [
    {"problem_id": "p1", "strategy": "a", "response": "add", "correct": True, "seed": 7, "answer": "3"},
    {"problem_id": "p1", "strategy": "a", "response": "guess", "reward": 0.5, "meta": {"deep": {"list": [1, None]}}},
    {"problem_id": "p2", "strategy": "b", "response": "halbe \ud800 Zeichen", "sample_id": "x", "temperature": 0.7},
    {"problem_id": "p2", "strategy": "b", "response": "", "n_tokens": 12},
]


def from_file(rows: list[dict[str, Any]], folder: Path) -> ReadResult:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_responses(path)


def test_dicts_give_what_a_file_gives(tmp_path: Path) -> None:
    found = read_rows(ROWS)
    assert found.groups == from_file(ROWS, tmp_path).groups
    assert any("temperature" in warning for warning in found.warnings)


def test_a_data_frame_gives_what_a_file_gives(tmp_path: Path) -> None:
    """Missing cells are missing fields, though they make numbers of whole-number columns into fractions."""
    rows = [row | {"response": row["response"].replace("\ud800", "")} for row in ROWS]  # No column holds a half.
    assert read_rows(pd.DataFrame(rows)).groups == from_file(rows, tmp_path).groups


def test_responses_give_themselves(tmp_path: Path) -> None:
    responses = [r for group in from_file(ROWS, tmp_path).groups for r in group.responses]
    assert [r for group in read_rows(responses).groups for r in group.responses] == responses


def test_texts_by_strategy_and_problem() -> None:
    groups = read_rows({"low": {"p": ["a", "b"], "q": ["c"]}, "high": {"p": ["d"]}}).groups
    assert [(g.strategy, g.problem_id, [r.text for r in g.responses]) for g in groups] == [
        ("low", "p", ["a", "b"]),
        ("low", "q", ["c"]),
        ("high", "p", ["d"]),
    ]


def test_one_object_a_problem_is_read_as_in_a_file(tmp_path: Path) -> None:
    rows = [{"problem_id": "p", "responses": ["a", "b"]}]
    assert read_rows(rows).groups == from_file(rows, tmp_path).groups


def test_numbers_of_numpy_are_numbers() -> None:
    row = {
        "problem_id": "p",
        "response": "r",
        "reward": np.float32(0.5),
        "correct": np.bool_(True),
        "seed": np.int64(3),
    }
    response = read_rows([row | {"meta": {"scores": np.arange(2)}}]).groups[0].responses[0]
    assert (response.reward, response.correct, response.seed) == (0.5, True, 3)
    assert response.meta == {"scores": [0, 1]}


def test_what_was_read_is_a_copy() -> None:
    meta = {"tags": ["first"]}
    (group,) = read_rows([{"problem_id": "p", "response": "r", "meta": meta}]).groups
    meta["tags"].append("later")
    assert group.responses[0].meta == {"tags": ["first"]}


@pytest.mark.parametrize(
    ("rows", "place", "what"),
    [
        ([ROWS[0], {"problem_id": "p", "response": 3}], "responses[1]", "response is 3; it must be a string"),
        ([ROWS[0], "text"], "responses[1]", "of the type str, not a dict"),
        ([ROWS[0] | {"meta": {"when": object}}], "responses[0]", "JSON cannot hold"),
        ([ROWS[0] | {"meta": {"x": float("nan")}}], "responses[0]", "JSON cannot hold"),
        ([ROWS[0] | {3: "x"}], "responses[0]", "names of fields are strings"),
        ([ROWS[0] | {"sample_id": 1}, ROWS[0] | {"sample_id": "1"}], "responses[1]", "is taken by responses[0]"),
        (pd.DataFrame([ROWS[0], {"problem_id": "p"}]), "responses.iloc[1]", "response is missing"),
        ({"a": {"p": ["t", None]}}, "responses['a']['p'][1]", "response is missing"),
        ({"a": ["t"]}, "responses['a']", "write {strategy: {problem: [texts]}}"),
        ({"a": {"p": "t"}}, "responses['a']['p']", "write a list of texts"),
        ([], "responses", "holds no responses; give at least one"),
        (b"rows.jsonl", "responses", "of the type bytes"),
        (pd.DataFrame([["p", "a", "b"]], columns=["problem_id", "response", "response"]), "responses", "has 2 columns"),
        (7, "responses", "of the type int"),
    ],
)
def test_a_fault_names_the_row(rows: Any, place: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        read_rows(rows)
    assert f"{place}: " in str(caught.value)
    assert what in str(caught.value)
