"""Files of other projects become groups, held to the same checks as the project's own."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.inputs.reading import read_responses
from tests.diversity_judge.inputs.helpers import fault, shape, written

DATA = Path(__file__).parents[1] / "data"
LM_EVAL = DATA / "samples_aqua_cot_2025-01-31T10-00-00.000000.jsonl"
LIGHTEVAL = DATA / "details_aqua_2025-01-31T10-00-00.000000.parquet"


# --- problems ------------------------------------------------------------------------------------


def test_one_object_a_problem_with_texts_or_objects(tmp_path: Path) -> None:
    rows = [
        {
            "problem_id": "p",
            "problem": "why?",
            "responses": ["one", {"response": "two", "correct": True, "answer": "2"}],
        },
        {"id": 7, "prompt": "what?", "strategy": "hot", "model": "m", "responses": [{"text": "three"}, "four"]},
    ]
    result = read_responses(written(tmp_path / "p.jsonl", *rows))
    assert shape(result) == [("p", "default", 2), ("7", "hot", 2)]
    assert result.groups[0].responses[1].correct is True
    assert result.groups[1].problem == "what?"
    assert {response.model for response in result.groups[1].responses} == {"m"}
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"responses": ["a"]}, "problem_id is missing"),
        ({"problem_id": "p", "responses": "a"}, "responses is a string"),
        ({"problem_id": "p", "responses": [1]}, "an entry of responses is a number"),
        ({"problem_id": "p", "responses": [{"response": "a", "strategy": "x"}]}, "names its own strategy"),
        ({"problem_id": "p", "responses": ["a", {"response": "b", "answer": 2}]}, "FILE:1 (response 2): answer is 2"),
        ({"problem_id": "p", "responses": [{"sample_id": 1, "response": "a"}] * 2}, "taken by FILE:1 (response 1)"),
    ],
)
def test_a_problem_that_breaks_its_format_is_refused(tmp_path: Path, row: Any, said: str) -> None:
    message = fault(written(tmp_path / "p.jsonl", row))
    assert message.startswith("FILE:1")
    assert said in message


def test_a_problem_without_responses_is_a_warning(tmp_path: Path) -> None:
    rows = [{"problem_id": "p", "responses": ["a", "b"]}, {"problem_id": "q", "responses": []}]
    result = read_responses(written(tmp_path / "p.jsonl", *rows))
    assert shape(result) == [("p", "default", 2)]
    assert "1 row" in result.warnings[0]


# --- pairs ---------------------------------------------------------------------------------------


def test_a_labelled_pair_is_a_problem_with_two_responses(tmp_path: Path) -> None:
    row = {"pair_id": "a-1", "problem": "Why?", "response_a": "so", "response_b": "thus", "similar": 1}
    result = read_responses(written(tmp_path / "pairs.jsonl", row, row | {"pair_id": 2, "response_b": "so"}))
    assert shape(result) == [("a-1", "default", 2), ("2", "default", 2)]
    assert [response.text for response in result.groups[0].responses] == ["so", "thus"]
    assert [response.sample_id for response in result.groups[0].responses] == ["a", "b"]
    assert result.groups[0].problem == "Why?"
    assert "pair_id is missing" in fault(written(tmp_path / "n.jsonl", {"response_a": "x", "response_b": "y"}))


# --- noveltybench --------------------------------------------------------------------------------


def test_noveltybench_rows_are_told_apart_by_model_and_mode_of_sampling(tmp_path: Path) -> None:
    row = {"id": "curated-0", "prompt": "Tell me a story.", "generations": ["a", "b"]}
    rows = [
        {**row, "model": "m1"},
        {**row, "model": "m2", "partition": [0, 1], "distinct": 2, "utility": 4.7},
        {**row, "model": "m2", "generation_key": "x", "generation_config": {"sampling": "in-context"}},
    ]
    result = read_responses(written(tmp_path / "generations.jsonl", *rows))
    assert shape(result) == [("curated-0", "m1", 2), ("curated-0", "m2", 2), ("curated-0", "m2 in-context", 2)]
    assert result.groups[0].problem == "Tell me a story."
    assert result.groups[1].responses[0].model == "m2"


def test_noveltybench_files_of_two_runs_do_not_mix(tmp_path: Path) -> None:
    row = {"id": "curated-0", "prompt": "?", "model": "m", "generations": ["a", "b"]}
    paths = [written(tmp_path / run / "generations.jsonl", row) for run in ("first", "second")]
    assert shape(read_responses(paths)) == [("curated-0", "first m", 2), ("curated-0", "second m", 2)]


# --- lm-evaluation-harness -----------------------------------------------------------------------


def test_lm_eval_samples_as_the_harness_writes_them() -> None:
    result = read_responses(LM_EVAL)
    assert shape(result) == [("aqua_cot-0", "default", 3), ("aqua_cot-1", "default", 3)]
    first = result.groups[0].responses[0]
    assert first.text.startswith("Thought:")
    assert first.answer == "C"
    assert first.meta["request"]["temperature"] == 1.0
    assert result.groups[0].problem is not None
    assert result.groups[0].problem.startswith("Topic: Math")
    assert result.warnings == ()


def test_lm_eval_rows_of_a_second_filter_add_no_responses() -> None:
    rows = [json.loads(line) for line in LM_EVAL.read_text(encoding="utf-8").splitlines()]
    assert {row["filter"] for row in rows} == {"strict-match", "maj@3"}
    assert len(rows) == 4
    assert read_responses(LM_EVAL).n_responses == 6


def lm_eval_row(**changes: Any) -> dict[str, Any]:
    """A row of one repeat, as `evaluator.py` and `save_results_samples` of lm-eval 0.4.13 make it."""
    row = {
        "doc_id": 0,
        "doc": {"question": "2+2?"},
        "target": "4",
        "arguments": {"gen_args_0": {"arg_0": "Q: 2+2?\nA:", "arg_1": {"until": ["\n"]}}},
        "resps": [["It is 4."]],
        "filtered_resps": ["4"],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "exact_match": 1.0,
    }
    return row | changes


@pytest.mark.parametrize(
    ("changes", "correct", "answer"),
    [
        ({}, True, "4"),
        ({"exact_match": 0.0}, False, "4"),
        ({"filtered_resps": ["[invalid]"], "exact_match": 0.0}, False, None),
        ({"exact_match": 0.5}, None, "4"),
        ({"exact_match": 1.0, "acc": 0.0}, None, "4"),
        ({"exact_match": [1.0]}, True, "4"),
    ],
)
def test_lm_eval_metrics_of_a_single_response_are_its_verdict(
    tmp_path: Path, changes: Any, correct: bool | None, answer: str | None
) -> None:
    response = read_responses(written(tmp_path / "s.jsonl", lm_eval_row(**changes))).groups[0].responses[0]
    assert (response.correct, response.answer) == (correct, answer)


def test_lm_eval_metrics_over_repeats_are_no_verdict_on_a_response(tmp_path: Path) -> None:
    row = lm_eval_row(resps=[["a", "b"]], filtered_resps=["a"], exact_match=1.0)
    assert [r.correct for r in read_responses(written(tmp_path / "s.jsonl", row)).groups[0].responses] == [None, None]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"resps": [[["-1.5", "False"]], [["-0.5", "True"]]]}, "resps holds 2 requests"),
        ({"resps": [[["-1.5", "False"]]]}, "log-likelihoods"),
        ({"arguments": {"gen_args_0": {"arg_0": "text"}}}, "no generation parameters"),
        ({"doc_id": None}, "doc_id is missing"),
    ],
)
def test_lm_eval_tasks_that_generate_no_text_are_refused(tmp_path: Path, changes: Any, said: str) -> None:
    assert said in fault(written(tmp_path / "s.jsonl", lm_eval_row(**changes)))


def test_lm_eval_files_of_several_models_and_tasks_do_not_mix(tmp_path: Path) -> None:
    date = "2025-01-31T10-00-00.000000"
    paths = [
        written(
            tmp_path / model / f"samples_{task}_{date}.jsonl", lm_eval_row(doc={"question": f"A problem of {task}?"})
        )
        for model in ("m1", "m2")
        for task in ("gsm8k", "aime_24")
    ]
    expected = [("gsm8k-0", "m1", 1), ("aime_24-0", "m1", 1), ("gsm8k-0", "m2", 1), ("aime_24-0", "m2", 1)]
    assert shape(read_responses(paths)) == expected


def test_lm_eval_runs_in_one_folder_are_told_apart_by_date_or_joined_by_name(tmp_path: Path) -> None:
    dates = ["2025-01-31T10-00-00.000000", "2025-02-01T10-00-00.000000"]
    paths = [written(tmp_path / f"samples_gsm8k_{date}.jsonl", lm_eval_row()) for date in dates]
    assert shape(read_responses(paths)) == [("gsm8k-0", date, 1) for date in dates]
    assert shape(read_responses(paths, strategy="T0.7")) == [("gsm8k-0", "T0.7", 2)]


# --- LightEval -----------------------------------------------------------------------------------


def test_lighteval_details_as_it_writes_them() -> None:
    pytest.importorskip("pyarrow")
    result = read_responses(LIGHTEVAL)
    assert shape(result) == [("aqua|0-2", "default", 3), ("aqua|0-5", "default", 3)]
    texts = [response.text for response in result.groups[0].responses]
    assert texts[0].startswith("Thought:")
    assert texts[2].startswith("<think>thinking aloud</think>\n")
    assert result.groups[0].responses[0].meta == {"golds": ["B"]}
    assert [response.correct for response in result.groups[0].responses] == [None] * 3


def test_both_harnesses_give_the_same_texts() -> None:
    pytest.importorskip("pyarrow")
    one, other = read_responses(LM_EVAL).groups[1], read_responses(LIGHTEVAL).groups[1]
    assert [r.text for r in one.responses[:2]] == [r.text for r in other.responses[:2]]


def test_without_pyarrow_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'diversity-judge[parquet]'" in fault(LIGHTEVAL)


def test_a_damaged_or_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    broken = tmp_path / "broken.parquet"
    shutil.copyfile(LIGHTEVAL, broken)
    broken.write_bytes(broken.read_bytes()[:-100])
    assert "not a readable Parquet file" in fault(broken)
    old = tmp_path / "old.parquet"
    parquet.write_table(pyarrow.table({"predictions": ["['a']"], "full_prompt": ["?"]}), old)
    assert fault(old).startswith("FILE:1: can't tell the format from the fields (predictions, full_prompt)")
    assert fault(old, format="lighteval").startswith("FILE:1: has full_prompt, predictions, not doc, metric and model")


# --- which format --------------------------------------------------------------------------------


def test_the_format_is_told_for_each_file_by_its_first_row(tmp_path: Path) -> None:
    contract = written(tmp_path / "a.jsonl", {"problem_id": "p", "response": "x"})
    problems = written(tmp_path / "b.jsonl", {"problem_id": "p", "responses": ["y", "z"]})
    assert shape(read_responses([contract, problems])) == [("p", "default", 3)]


def test_a_file_of_no_known_format_is_refused_with_what_it_has(tmp_path: Path) -> None:
    message = fault(written(tmp_path / "a.jsonl", {"question": "?", "output": "x"}))
    assert message.startswith("FILE:1: can't tell the format from the fields (question, output)")


def test_a_broken_first_line_does_not_hide_the_format(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"problem_id"\n' + json.dumps({"problem_id": "p", "responses": ["a"]}) + "\n")
    assert len(fault(path).splitlines()) == 1


def test_a_named_format_is_not_guessed_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", {"problem_id": "p", "response": "x"})
    assert fault(path, format="noveltybench").startswith("FILE:1: id is missing")
    assert "not a Parquet file" in fault(path, format="lighteval")
    assert "FILE:1: problem_id is missing" in fault(LIGHTEVAL, format="responses")
