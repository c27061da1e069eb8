"""What APIs, evaluation logs and tables hold becomes groups; the rows have the shape that their projects document."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.errors import InputError
from diversity_judge.inputs.reading import ReadResult, read_responses
from diversity_judge.inputs.responses import Response
from diversity_judge.rubric import Missing, broken_off


def written(path: Path, *rows: Any) -> Path:
    """A JSON lines file of these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def fault(path: Path, **options: Any) -> str:
    """The message with which a file is refused."""
    with pytest.raises(InputError) as caught:
        read_responses(path, **options)
    return str(caught.value).replace(str(path), "FILE")


def shape(result: ReadResult) -> list[tuple[str, str, int]]:
    """Problem, strategy and number of responses of each group."""
    return [(group.problem_id, group.strategy, group.n_responses) for group in result.groups]


def only(result: ReadResult) -> Response:
    """The one response."""
    ((response,),) = [group.responses for group in result.groups]
    return response


# --- chat completions -----------------------------------------------------------------------------


def completion(*contents: Any, **more: Any) -> dict[str, Any]:
    """A chat completion as OpenAI, vLLM and DeepSeek return it; a content is a text or a message's fields."""
    messages = [content if isinstance(content, dict) else {"content": content} for content in contents]
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-4.1-2025-04-14",
        "choices": [
            {
                "index": i,
                "message": {"role": "assistant", "refusal": None, "annotations": [], **message},
                "logprobs": None,
                "finish_reason": "stop",
            }
            for i, message in enumerate(messages)
        ],
        "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29},
        "service_tier": "default",
    } | more


def test_the_choices_of_a_completion_are_the_responses_to_its_problem(tmp_path: Path) -> None:
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
    rows = [
        completion("a", "b", problem_id="p", messages=asked, strategy="hot"),
        completion("c", "d", id="chatcmpl-other"),
    ]
    result = read_responses(written(tmp_path / "c.jsonl", *rows))
    assert shape(result) == [("p", "hot", 2), ("chatcmpl-other", "default", 2)]
    assert result.groups[0].problem == "2+2?"
    first = result.groups[0].responses[0]
    assert (first.text, first.model, first.finish_reason, first.n_tokens) == ("a", "gpt-4.1-2025-04-14", "stop", None)


def test_a_single_choice_needs_its_problem(tmp_path: Path) -> None:
    assert "write problem_id beside choices" in fault(written(tmp_path / "c.jsonl", completion("a")))
    rows = [completion("a", problem_id="p"), completion("b", problem_id="p")]
    result = read_responses(written(tmp_path / "c.jsonl", *rows))
    assert shape(result) == [("p", "default", 2)]
    assert result.groups[0].responses[0].n_tokens == 10


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_the_reasoning_of_a_message_is_its_thinking(tmp_path: Path, field: str) -> None:
    row = completion({"content": "4", field: "two and two"}, {"content": None, field: "two and"}, problem_id="p")
    texts = [r.text for r in read_responses(written(tmp_path / "c.jsonl", row)).groups[0].responses]
    assert texts == ["<think>two and two</think>\n4", "<think>two and"]


def test_parts_of_a_content_are_put_together(tmp_path: Path) -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "4"}, {"type": "text", "text": "."}]
    row = completion({"content": parts}, problem_id="p")
    assert only(read_responses(written(tmp_path / "c.jsonl", row))).text == "<think>hm</think>\n4."


def test_choices_that_are_none_are_refused(tmp_path: Path) -> None:
    assert "choices is a string" in fault(written(tmp_path / "c.jsonl", {"problem_id": "p", "choices": "a"}))
    assert "what is no object" in fault(written(tmp_path / "c.jsonl", {"problem_id": "p", "choices": ["a"]}))


# --- results of a batch ---------------------------------------------------------------------------


def batch_line(custom_id: str, body: dict[str, Any] | None, status: int = 200) -> dict[str, Any]:
    """A line of the output file of OpenAI's Batch API."""
    response = {"status_code": status, "request_id": "req_123", "body": body or {"error": {"message": "no"}}}
    return {"id": "batch_req_123", "custom_id": custom_id, "response": response, "error": None}


def test_results_of_a_batch_are_grouped_by_their_custom_id(tmp_path: Path) -> None:
    rows = [
        batch_line("aime-1#1", completion("b")),
        batch_line("aime-1#0", completion("a")),
        batch_line("aime-2", completion("c", "d")),
        batch_line("aime-3#0", None, status=400),
        {"id": "batch_req_9", "custom_id": "aime-3#1", "response": None, "error": {"code": "batch_expired"}},
    ]
    result = read_responses(written(tmp_path / "batch.jsonl", *rows))
    assert shape(result) == [("aime-1", "default", 2), ("aime-2", "default", 2)]
    assert [(r.sample_id, r.text) for r in result.groups[0].responses] == [(1, "b"), (0, "a")]
    assert [r.sample_id for r in result.groups[1].responses] == [0, 1]
    assert any("2 rows" in warning and "left out" in warning for warning in result.warnings)


def test_a_batch_whose_first_request_failed_is_still_one(tmp_path: Path) -> None:
    rows = [
        {"id": "b", "custom_id": "p#0", "response": None, "error": {"code": "batch_expired", "message": "late"}},
        batch_line("p#1", completion("a")),
    ]
    assert shape(read_responses(written(tmp_path / "b.jsonl", *rows))) == [("p", "default", 1)]


def test_results_of_anthropics_batch(tmp_path: Path) -> None:
    message = {
        "id": "msg_014VwiXbi91y3JMjcpyGBHX5",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": "EqQB"},
            {"type": "text", "text": "It is 4."},
        ],
        "stop_reason": "max_tokens",
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 36},
    }
    rows = [
        {"custom_id": "p#0", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "p#1", "result": {"type": "errored", "error": {"type": "invalid_request"}}},
        {"custom_id": "p#2", "result": {"type": "expired"}},
    ]
    response = only(read_responses(written(tmp_path / "b.jsonl", *rows)))
    assert response.text == "<think>Let me see.</think>\nIt is 4."
    assert (response.model, response.n_tokens, response.sample_id) == ("claude-sonnet-4-5", 36, 0)
    assert broken_off(response.finish_reason) is Missing.TRUNCATED


def test_results_of_geminis_batch(tmp_path: Path) -> None:
    body = {
        "candidates": [
            {
                "content": {"parts": [{"text": "hm", "thought": True}, {"text": "4"}], "role": "model"},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6},
        "modelVersion": "gemini-2.5-flash",
    }
    response = only(read_responses(written(tmp_path / "b.jsonl", {"key": "p", "response": body})))
    assert (response.text, response.model, response.n_tokens) == ("<think>hm</think>\n4", "gemini-2.5-flash", 2)


def test_results_of_a_batch_of_the_responses_api(tmp_path: Path) -> None:
    body = {
        "id": "resp_67ccd2bed1ec8190b14f964abc054267",
        "object": "response",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "model": "o4-mini",
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "adding"}]},
            {
                "type": "message",
                "id": "msg_1",
                "status": "incomplete",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "It is", "annotations": []}],
            },
        ],
        "usage": {"input_tokens": 36, "output_tokens": 87},
    }
    response = only(read_responses(written(tmp_path / "b.jsonl", batch_line("p", body))))
    assert response.text == "<think>adding</think>\nIt is"
    assert (response.n_tokens, broken_off(response.finish_reason)) == (87, Missing.TRUNCATED)


# --- logs of inspect_ai ---------------------------------------------------------------------------


def inspect_sample(number: int | str, epoch: int, content: Any, value: Any = "C", **more: Any) -> dict[str, Any]:
    """A sample as inspect_ai dumps `EvalSample`, without what is None."""
    return {
        "id": number,
        "epoch": epoch,
        "input": "What is 2+2?",
        "target": "4",
        "messages": [
            {"id": "m1", "content": "What is 2+2?", "source": "input", "role": "user"},
            {"id": "m2", "content": content, "source": "generate", "role": "assistant", "model": "gpt-4o"},
        ],
        "output": {
            "model": "gpt-4o-2024-08-06",
            "choices": [
                {
                    "message": {"id": "m2", "content": content, "source": "generate", "role": "assistant"},
                    "stop_reason": "stop",
                }
            ],
            "usage": {"input_tokens": 12, "output_tokens": 30, "total_tokens": 42},
            "time": 0.8,
        },
        "scores": {"match": {"value": value, "answer": "4", "explanation": str(content)}},
        "metadata": {},
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    } | more


def inspect_head(**config: Any) -> dict[str, Any]:
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "run_id": "K6UZQdDvXqCqiCnRpcHVWv",
            "created": "2025-01-31T10:00:00+00:00",
            "task": "arithmetic",
            "task_id": "3vKGJWcHuMjeTEk7kxVXbk",
            "dataset": {"name": "arithmetic", "samples": 2, "sample_ids": [1, 2]},
            "model": "openai/gpt-4o",
            "model_generate_config": config,
            "config": {"epochs": 2, "epochs_reducer": ["mean"]},
        },
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}},
    }


SAMPLES = [
    inspect_sample(1, 1, "four"),
    inspect_sample(2, 1, "4!", "I"),
    inspect_sample(1, 2, "2+2=4", "P"),
    inspect_sample(2, 2, [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "4"}]),
]


def eval_archive(path: Path, samples: list[dict[str, Any]], head: str = "header.json", **config: Any) -> Path:
    """A `.eval` log: a ZIP archive of JSON files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps(inspect_head(**config)))
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample, indent=2))
        archive.writestr("summaries.json", "[]")
        archive.writestr("reductions.json", "[]")
        archive.writestr(head, json.dumps(inspect_head(**config)))
    return path


def test_epochs_of_a_log_are_the_responses(tmp_path: Path) -> None:
    result = read_responses(eval_archive(tmp_path / "log.eval", SAMPLES, temperature=0.7, top_p=0.8))
    strategy = "openai/gpt-4o T0.7 top_p=0.8"
    assert shape(result) == [("arithmetic-1", strategy, 2), ("arithmetic-2", strategy, 2)]
    first, second = result.groups[0].responses
    assert (first.text, first.sample_id, first.correct, first.answer) == ("four", 1, True, "4")
    assert (second.correct, second.finish_reason, second.n_tokens) == (None, "stop", 30)
    assert result.groups[0].problem == "What is 2+2?"
    assert first.model == "gpt-4o-2024-08-06"
    assert first.meta == {"target": "4", "epoch": 1, "scores": {"match": "C"}}
    assert [r.text for r in result.groups[1].responses] == ["4!", "<think>hm</think>\n4"]
    assert [r.correct for r in result.groups[1].responses] == [False, True]
    assert result.warnings == ()


def test_a_log_as_json_gives_the_same_as_its_archive(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(inspect_head(temperature=1.0) | {"samples": SAMPLES}, indent=2))
    assert (
        read_responses(path).groups
        == read_responses(eval_archive(tmp_path / "l.eval", SAMPLES, temperature=1.0)).groups
    )


def test_a_log_still_being_written_has_its_head_in_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_journal/start.json", json.dumps(inspect_head()))
        archive.writestr("samples/1_epoch_1.json", json.dumps(SAMPLES[0]))
    assert shape(read_responses(path)) == [("arithmetic-1", "openai/gpt-4o", 1)]


def test_the_tenth_epoch_comes_after_the_second(tmp_path: Path) -> None:
    samples = [inspect_sample(1, epoch, f"text {epoch}") for epoch in (10, 2, 1)]
    result = read_responses(eval_archive(tmp_path / "log.eval", samples))
    assert [r.sample_id for r in result.groups[0].responses] == [1, 2, 10]


def test_texts_put_aside_in_a_log_are_found_again(tmp_path: Path) -> None:
    sample = inspect_sample(
        1, 1, "attachment://a1b2", input="attachment://c3", attachments={"a1b2": "long", "c3": "why?"}
    )
    response = only(read_responses(eval_archive(tmp_path / "log.eval", [sample])))
    assert (response.text, response.problem) == ("long", "why?")
    lost = inspect_sample(1, 1, "attachment://gone")
    assert "attachment" in fault(eval_archive(tmp_path / "log.eval", [lost]))


def test_samples_that_failed_are_left_out_and_counted(tmp_path: Path) -> None:
    failed = inspect_sample(1, 2, "half", error={"message": "timeout", "traceback": "", "traceback_ansi": ""})
    empty = inspect_sample(1, 3, "", output={"model": "gpt-4o", "choices": []})
    result = read_responses(eval_archive(tmp_path / "log.eval", [SAMPLES[0], failed, empty]))
    assert shape(result) == [("arithmetic-1", "openai/gpt-4o", 1)]
    assert any(warning.startswith("2 rows") for warning in result.warnings)


def test_an_archive_that_is_no_log_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    assert "without a log of inspect_ai" in fault(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps(inspect_head()))
        archive.writestr("samples/1_epoch_1/chunk-0.bin", "x")
    assert "inspect log convert" in fault(path)
    data = eval_archive(path, SAMPLES).read_bytes()
    # Compression 93 (Zstandard) in the central directory and in the local headers: a method that may not be known.
    path.write_bytes(
        data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x5d\x00")
    )
    assert "inspect log convert" in fault(path)
    path.write_bytes(data[:-30])
    assert "not a readable archive" in fault(path)


# --- tables ---------------------------------------------------------------------------------------

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


def test_what_cannot_be_read_is_told_what_can(tmp_path: Path) -> None:
    message = fault(written(tmp_path / "r.jsonl", {"question": "?", "output": "x"}))
    for part in ("CSV", "Parquet", "inspect_ai", "lm-evaluation-harness", "chat completions", "--format"):
        assert part in message


# --- one task under several names -----------------------------------------------------------------


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
