"""What APIs return becomes groups: completions and the results of batches, as their projects document them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diversity_judge.inputs.reading import read_responses
from diversity_judge.rubric import Missing, broken_off
from tests.diversity_judge.inputs.helpers import fault, only, shape, written

# --- chat completions -------------------------------------------------------------------------------


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


# --- results of a batch -----------------------------------------------------------------------------


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
