"""Tables, JSON and data sets by the names of the contract; one task in files of several names."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.inputs.reading import ReadResult, read_responses
from tests.diversity_judge.inputs.helpers import fault, only, shape, written

# --- tables -----------------------------------------------------------------------------------------

CSV = (
    "problem_id,strategy,response,sample_id,correct,reward,seed,n_tokens,answer,meta,note\n"
    'p,hot,"two\nlines, and ""quotes""",0,True,0.5,7,12,4,"{""a"": 1}",x\n'
    "p,hot,other,1,false,,7.0,,007,,\n"
)


def check_table(result: ReadResult) -> None:
    first, second = result.groups[0].responses
    assert first.text == 'two\nlines, and "quotes"'
    assert (first.sample_id, first.correct, first.reward, first.seed, first.n_tokens) == (0, True, 0.5, 7, 12)
    assert (first.answer, first.meta) == ("4", {"note": "x", "a": 1})
    assert (second.correct, second.reward, second.seed, second.n_tokens, second.answer) == (False, None, 7, None, "007")
    assert second.meta == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_by_the_names_of_the_contract(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(CSV.replace("\n", "\r\n").replace("two\r\n", "two\n").encode(encoding))
    check_table(read_responses(path))


def test_csv_of_another_name_is_read_where_it_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text(CSV)
    check_table(read_responses(path, format="csv"))
    path.write_text("problem_id\tresponse\np\ta, b\n")
    assert only(read_responses(path, format="csv")).text == "a, b"


def test_a_response_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f"problem_id,response\np,{'x' * 300_000}\n")
    assert len(only(read_responses(path)).text) == 300_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("problem_id,response\np,a\np,a,b\n", "FILE:3: has 3 cells where the header names 2"),
        ("problem_id,response\np,a\np,\n", "FILE:3: response is missing"),
        ("problem_id,response,correct\np,a,maybe\n", "FILE:2: correct is 'maybe'"),
        ("problem_id,problem_id,response\np,p,a\n", "stands twice"),
        ('problem_id,response\np,"a\n', "FILE:2: not valid CSV"),
        ("problem_id,respons\np,a\n", "did you mean 'response' by 'respons'?"),
        ("problem_id,response\n", "holds no responses"),
    ],
)
def test_a_csv_that_breaks_the_contract_is_refused_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(content)
    assert said in fault(path)


def test_parquet_by_the_names_of_the_contract(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.read_csv(io.StringIO(CSV), dtype={"answer": str})
    frame.to_parquet(tmp_path / "r.parquet")
    result = read_responses(tmp_path / "r.parquet")
    check_table(result)


def test_a_data_sets_folder_is_read_in_the_order_of_its_rows(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"problem_id": 1, "response": f"text {i}", "correct": i % 2} for i in range(10)]
    data = datasets.Dataset.from_list(rows)
    data.save_to_disk(tmp_path / "one", num_shards=3)
    result = read_responses(tmp_path / "one")
    assert [r.text for r in result.groups[0].responses] == [row["response"] for row in rows]
    assert [r.correct for r in result.groups[0].responses] == [False, True] * 5
    assert len(result.inputs) == 3
    datasets.DatasetDict({"a": data, "b": data}).save_to_disk(tmp_path / "two")
    assert shape(read_responses(tmp_path / "two")) == [("1", "default", 20)]
    (tmp_path / "hub" / "data").mkdir(parents=True)
    data.to_parquet(tmp_path / "hub" / "data" / "train-00000-of-00001.parquet")
    assert read_responses(tmp_path / "hub").groups == result.groups


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    assert "is a folder without a data set" in fault(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    assert "responses.jsonl.gz" in fault(tmp_path)


# --- JSON -----------------------------------------------------------------------------------------


def test_a_json_array_is_read_and_its_faults_are_named_by_index(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps([{"problem_id": "p", "response": "a"}, {"problem_id": "p", "response": "b"}], indent=1))
    assert shape(read_responses(path)) == [("p", "default", 2)]
    path.write_text(json.dumps([{"problem_id": "p", "response": "a"}, {"problem_id": "p", "response": 1}]))
    assert fault(path).startswith("FILE[1]: response is 1")
    path.write_text('[{"problem_id": "p", "response": "a", "reward": NaN}]')
    assert "NaN is not JSON" in fault(path)


def test_json_lines_called_json_are_read_too(tmp_path: Path) -> None:
    path = written(tmp_path / "r.json", {"problem_id": "p", "response": "a"}, {"problem_id": "p", "response": "b"})
    assert shape(read_responses(path)) == [("p", "default", 2)]


def test_a_text_that_is_no_json_is_told_once_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello world\nhow are you\n", encoding="utf-8")
    message = fault(tmp_path / "x.txt")
    assert "not valid JSON" in message
    assert message.count("Can be read: JSON lines") == 1


def test_a_bad_line_among_good_ones_is_not(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", {"problem_id": "p", "response": "x"})
    path.write_text(path.read_text(encoding="utf-8") + "{\n", encoding="utf-8")
    assert "Can be read" not in fault(path)


def test_what_cannot_be_read_is_told_what_can(tmp_path: Path) -> None:
    message = fault(written(tmp_path / "r.jsonl", {"question": "?", "output": "x"}))
    for part in ("CSV", "Parquet", "inspect_ai", "lm-evaluation-harness", "chat completions", "--format"):
        assert part in message


# --- one task under several names -------------------------------------------------------------------


def lm_eval_rows(temperature: float) -> list[dict[str, Any]]:
    """Two documents as lm-eval 0.4 writes them; only the request's parameters differ between two strategies."""
    return [
        {
            "doc_id": number,
            "doc": {"question": f"What is {number}+2?"},
            "target": "4",
            "arguments": {"gen_args_0": {"arg_0": f"Q: {number}+2?\nA:", "arg_1": {"temperature": temperature}}},
            "resps": [["one", "two"]],
            "filtered_resps": ["one"],
            "filter": "strict-match",
            "exact_match": 1.0,
            "doc_hash": "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b",
        }
        for number in range(2)
    ]


@pytest.mark.parametrize(
    ("names", "problem", "strategies"),
    [
        (("samples_gsm8k_T0.7.jsonl", "samples_gsm8k_T1.3.jsonl"), "gsm8k-0", ("T0.7", "T1.3")),
        (("samples_hot.jsonl", "samples_cold.jsonl"), "0", ("hot", "cold")),
        (("samples_gsm8k_2025-01-31T10-00-00.000000.jsonl", "cold.jsonl"), "gsm8k-0", ("gsm8k", "cold")),
        (("hot.jsonl", "cold.jsonl"), "0", ("hot", "cold")),
    ],
)
def test_files_of_one_task_hold_the_same_problems_whatever_they_are_called(
    tmp_path: Path, names: tuple[str, str], problem: str, strategies: tuple[str, str]
) -> None:
    paths = [written(tmp_path / name, *lm_eval_rows(t)) for name, t in zip(names, (0.7, 1.3), strict=True)]
    result = read_responses(paths)
    other = problem[:-1] + "1"
    assert sorted(shape(result)) == sorted((p, s, 2) for s in strategies for p in (problem, other))


def test_two_tasks_on_the_same_documents_stay_apart(tmp_path: Path) -> None:
    plain, cot = lm_eval_rows(0.7), lm_eval_rows(0.7)
    for row in cot:
        row["arguments"]["gen_args_0"]["arg_0"] += " Let's think step by step."
    paths = [written(tmp_path / "samples_gsm8k.jsonl", *plain), written(tmp_path / "samples_gsm8k_cot.jsonl", *cot)]
    assert {group.problem_id for group in read_responses(paths).groups} == {
        "gsm8k-0", "gsm8k-1", "gsm8k_cot-0", "gsm8k_cot-1",
    }  # fmt: skip
