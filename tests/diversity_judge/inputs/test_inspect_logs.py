"""Logs of inspect_ai become groups: epochs are the responses to a sample's problem."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from diversity_judge.inputs.reading import read_responses
from tests.diversity_judge.inputs.helpers import fault, only, shape

# --- logs of inspect_ai -----------------------------------------------------------------------------


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
