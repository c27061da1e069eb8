"""Judging by files: what goes out is what `score` would send, and what comes back finds its place once."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from diversity_judge.batch import main
from diversity_judge.batching.requests import write_files
from diversity_judge.hosts.batch_api import BatchAPI
from diversity_judge.judges.presets import BatchTerms, load_presets
from tests.batch_server import BatchServer, completion, failed_line, provider_line
from tests.diversity_judge.score_runs import KEY, KEY_VARIABLE, assert_exact, run
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample, question_in

SAMPLE = Sample(n=4)
NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return SAMPLE.write(tmp_path / "r.jsonl")


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as running:
        yield running


def batch(*words: str | Path) -> tuple[int, str]:
    """Run the command in this process; its exit code and what it said."""
    output = io.StringIO()
    with (
        mock.patch.dict(os.environ, {KEY_VARIABLE: KEY}),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, output.getvalue()


def export(responses: Path, out: Path, base_url: str = NOBODY, *options: str) -> tuple[int, str]:
    judge = ("--base-url", base_url, "--model", "loopback", "--api-key-env", KEY_VARIABLE)
    return batch("export", responses, *judge, "--out", out, *options)


def calls_of(out: Path) -> list[dict[str, Any]]:
    """All exported calls."""
    files = sorted((out / "batch").glob("requests-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def answer_all(out: Path, path: Path) -> list[dict[str, Any]]:
    """A file of results for all exported calls, in reverse order."""
    results = [provider_line(call) for call in reversed(calls_of(out))]
    path.write_text("".join(json.dumps(result) + "\n" for result in results), encoding="utf-8")
    return results


def test_the_exported_calls_are_those_that_score_sends(responses: Path, tmp_path: Path) -> None:
    assert export(responses, tmp_path / "out")[0] == 0
    calls = calls_of(tmp_path / "out")
    with JudgeServer() as live:
        assert run(responses, live, tmp_path / "live").code == 0
        sent = Counter(json.dumps(call.body, sort_keys=True) for call in live.calls)
    assert Counter(json.dumps(call["body"], sort_keys=True) for call in calls) == sent
    assert {(call["method"], call["url"]) for call in calls} == {("POST", "/v1/chat/completions")}
    assert len({call["custom_id"] for call in calls}) == len(calls) == SAMPLE.n_pairs


def test_results_in_any_order_and_twice_end_in_the_matrices_that_live_calls_give(
    responses: Path, tmp_path: Path
) -> None:
    out, results = tmp_path / "out", tmp_path / "results.jsonl"
    assert export(responses, out)[0] == 0
    answer_all(out, results)
    code, said = batch("ingest", results, results, "--out", out)
    assert code == 0
    assert f"{SAMPLE.n_pairs} new replies" in said
    assert f"{SAMPLE.n_pairs} were in the ledger already" in said
    code, said = batch("ingest", results, "--out", out)
    assert (code, "0 new replies" in said) == (0, True)
    finished = run(responses, NOBODY, out, "--offline")
    assert finished.code == 0
    assert_exact(finished, SAMPLE)
    assert finished.manifest["judgments"]["replies"] == SAMPLE.n_pairs


def test_sortings_of_groups_go_out_and_come_back_with_the_pairs(responses: Path, tmp_path: Path) -> None:
    out, results, sort = tmp_path / "out", tmp_path / "results.jsonl", ("--clusters", "judge")
    code, said = export(responses, out, NOBODY, *sort)
    assert code == 0
    assert f"{len(SAMPLE.groups)} wanted, one a group" in said
    lines = []
    for call in calls_of(out):
        line = provider_line(call)
        if question_in(call["body"]["messages"][0]["content"]) is not None:
            line["response"]["body"]["choices"][0]["message"]["content"] = "[Approaches: 1, 2; 3, 4]"
        lines.append(json.dumps(line) + "\n")
    results.write_text("".join(lines), encoding="utf-8")
    code, said = batch("ingest", results, "--out", out)
    assert code == 0
    assert f"{SAMPLE.n_pairs + len(SAMPLE.groups)} new replies" in said
    assert "hold no score" not in said
    finished = run(responses, NOBODY, out, *sort, "--offline")
    assert finished.code == 0, finished.output
    assert finished.manifest["sortings"]["answered"] == len(SAMPLE.groups)


def test_of_summaries_the_export_is_the_phase_that_is_due(responses: Path, tmp_path: Path) -> None:
    out, results, of_summaries = tmp_path / "out", tmp_path / "results.jsonl", ("--judge-input", "summaries")
    n_responses = len(SAMPLE.groups) * SAMPLE.n
    code, said = export(responses, out, NOBODY, *of_summaries)
    assert code == 0
    assert len(calls_of(out)) == n_responses
    assert f"{SAMPLE.n_pairs} judgments wait for summaries" in " ".join(said.split())
    answers = answer_all(out, results)
    results.write_text("".join(json.dumps(answer) + "\n" for answer in answers[1:]), encoding="utf-8")  # One is late.
    code, said = batch("ingest", results, "--out", out)
    assert f"{n_responses - 1} new replies" in said
    assert "hold no score" not in said
    assert "the same batch export again" in said
    code, said = export(responses, out, NOBODY, *of_summaries)
    asked = [question_in(call["body"]["messages"][0]["content"]) for call in calls_of(out)]
    assert (asked.count(None), len(asked)) == (SAMPLE.n_pairs - (SAMPLE.n - 1), SAMPLE.n_pairs - (SAMPLE.n - 1) + 1)
    answer_all(out, results)
    batch("ingest", results, "--out", out)
    export(responses, out, NOBODY, *of_summaries)
    assert len(calls_of(out)) == SAMPLE.n - 1
    answer_all(out, results)
    code, said = batch("ingest", results, "--out", out)
    assert "next: python -m diversity_judge.score" in said
    finished = run(responses, NOBODY, out, *of_summaries, "--offline")
    assert finished.code == 0, finished.output
    assert_exact(finished, SAMPLE)


def test_score_does_not_buy_summaries_that_are_on_their_way(responses: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with JudgeServer() as live:
        export(responses, out, live.base_url, "--judge-input", "summaries")
        record = json.loads((out / "batch" / "batch.json").read_text(encoding="utf-8"))
        record["files"][0]["stage"] = "submitted"
        (out / "batch" / "batch.json").write_text(json.dumps(record), encoding="utf-8")
        finished = run(responses, live, out, "--judge-input", "summaries")
        assert live.calls == []
    assert finished.code == 2
    assert "on their way as a batch" in " ".join(finished.output.split())


def test_a_kill_in_the_middle_of_an_ingest_loses_and_doubles_nothing(responses: Path, tmp_path: Path) -> None:
    """What is left of a killed ingest is a ledger that holds some of the lines."""
    out, results, part = tmp_path / "out", tmp_path / "results.jsonl", tmp_path / "part.jsonl"
    assert export(responses, out)[0] == 0
    answer_all(out, results)
    lines = results.read_text(encoding="utf-8").splitlines(keepends=True)
    part.write_text("".join(lines[:7]) + lines[7][:40], encoding="utf-8")
    code, said = batch("ingest", part, "--out", out)
    assert code == 3
    assert "7 new replies" in said
    assert f"{part}:8: is no result" in said
    code, said = batch("ingest", results, "--out", out)
    assert code == 0
    assert f"{SAMPLE.n_pairs - 7} new replies" in said
    assert run(responses, NOBODY, out, "--offline").manifest["judgments"]["replies"] == SAMPLE.n_pairs


def test_what_failed_has_its_reason_and_score_buys_only_that(responses: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "out", tmp_path / "results.jsonl"
    with JudgeServer() as live:
        assert export(responses, out, live.base_url)[0] == 0
        calls = calls_of(out)
        refused = {"status_code": 400, "body": {"error": {"message": "too long"}}}
        rows = [
            failed_line(calls[0]),
            {"custom_id": calls[1]["custom_id"], "response": refused, "error": None},
            {"custom_id": "f" * 64, "response": {"status_code": 200, "body": completion(calls[0])}, "error": None},
            *map(provider_line, calls[2:]),
        ]
        results.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        code, said = batch("ingest", results, "--out", out)
        assert code == 3
        assert "1 call failed: malformed" in said
        assert "1 call failed: http_400" in said
        assert "1 lines belong to no call that was exported" in said
        missing = run(responses, live.base_url, out, "--offline")
        assert (missing.code, missing.manifest["judgments"]["missing"]) == (3, {"malformed": 1, "http_400": 1})
        finished = run(responses, live, out)
        assert finished.code == 0
        assert len(live.calls) == 2
        assert_exact(finished, SAMPLE)


def test_a_reply_that_was_paid_for_and_holds_no_message_is_kept(responses: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "out", tmp_path / "results.jsonl"
    assert export(responses, out)[0] == 0
    call, *_ = calls_of(out)
    row = provider_line(call)
    row["response"]["body"]["choices"] = []
    results.write_text(json.dumps(row) + "\n", encoding="utf-8")
    code, said = batch("ingest", results, "--out", out)
    assert code == 0
    assert "1 of the new replies hold no score" in said


def test_submit_and_fetch_bring_the_scores_through_the_hosts_api(
    responses: Path, tmp_path: Path, server: BatchServer
) -> None:
    out = tmp_path / "out"
    assert export(responses, out, server.base_url)[0] == 0
    assert batch("submit", out)[0] == 0
    assert batch("submit", out)[0] == 0, "nothing is left to submit"
    assert len(server.batches) == 1
    assert server.keys == {f"Bearer {KEY}"}
    code, said = batch("fetch", out)
    assert code == 3
    assert "1 batch not ready" in said
    server.finish()
    code, said = batch("fetch", out)
    assert code == 0
    assert f"{SAMPLE.n_pairs} new replies" in said
    assert_exact(run(responses, server.base_url, out, "--offline"), SAMPLE)
    assert KEY not in said + (out / "batch" / "batch.json").read_text(encoding="utf-8")


def test_what_is_on_its_way_is_neither_exported_nor_bought_again(
    responses: Path, tmp_path: Path, server: BatchServer
) -> None:
    out = tmp_path / "out"
    assert export(responses, out, server.base_url)[0] == 0
    assert batch("submit", out)[0] == 0
    again = run(responses, server.base_url, out)
    assert again.code == 2
    assert f"{SAMPLE.n_pairs} calls of this run are on their way as a batch" in again.output
    code, said = export(responses, out, server.base_url)
    assert (code, "every wanted call is answered or on its way" in said) == (0, True)
    assert batch("submit", out)[0] == 0
    assert len(server.batches) == 1


def test_a_kill_after_the_host_began_a_batch_does_not_begin_another(
    responses: Path, tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert export(responses, out, server.base_url)[0] == 0
    begin = BatchAPI.begin

    def killed(self: BatchAPI, *words: Any, **more: Any) -> Any:
        begin(self, *words, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchAPI, "begin", killed)
        assert batch("submit", out)[0] == 130
    assert batch("submit", out)[0] == 0
    assert len(server.batches) == 1
    server.finish()
    assert batch("fetch", out)[0] == 0


def test_a_cancelled_batch_brings_what_was_answered_and_the_rest_can_be_bought(
    responses: Path, tmp_path: Path, server: BatchServer
) -> None:
    out = tmp_path / "out"
    assert export(responses, out, server.base_url)[0] == 0
    assert batch("submit", out)[0] == 0
    assert batch("cancel", out)[0] == 0
    code, said = batch("fetch", out)
    assert code == 0
    assert "1 new reply" in said
    assert export(responses, out, server.base_url)[0] == 0
    assert len(calls_of(out)) == SAMPLE.n_pairs + SAMPLE.n_pairs - 1


def test_a_host_without_the_api_is_a_sentence_with_the_other_way(responses: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with BatchServer(has_api=False) as server:
        assert export(responses, out, server.base_url)[0] == 0
        code, said = batch("submit", out)
    assert code == 1
    assert "has no /files that can be called (HTTP 404" in said
    assert "batch ingest FILE... --out RUN" in said


def test_a_batch_that_costs_more_than_a_meal_is_not_submitted_unasked(
    responses: Path, tmp_path: Path, server: BatchServer
) -> None:
    out, judges = tmp_path / "out", tmp_path / "judges.toml"
    judges.write_text(
        f"""[dear]
model = "loopback"
base_url = "{server.base_url}"
api_key_env = "{KEY_VARIABLE}"
typical_output_tokens = 1000
prices = {{ input = 0.0, output = 1000.0 }}
batch = {{ price_share = 0.5 }}
"""
    )
    code, said = batch("export", responses, "--judge", "dear", "--judges-file", judges, "--out", out)
    assert code == 0
    assert f"about {SAMPLE.n_pairs * 0.5:.2f} USD, 50% of the price of live calls" in said
    code, said = batch("submit", out)
    assert (code, "12.00 USD, more than 5 USD" in said, server.files) == (2, True, {})
    assert batch("submit", out, "--yes")[0] == 0
    server.finish()
    code, said = batch("fetch", out)
    assert f"{SAMPLE.n_pairs} new replies, {SAMPLE.n_pairs * 10 * 1000 / 1e6 * 0.5:.4f} USD" in said


def test_a_missing_key_sends_nothing(responses: Path, tmp_path: Path, server: BatchServer) -> None:
    out = tmp_path / "out"
    judge = ("--base-url", server.base_url, "--model", "m", "--api-key-env", "NOT_SET_ANYWHERE")
    assert batch("export", responses, *judge, "--out", out)[0] == 0
    code, said = batch("submit", out)
    assert (code, "NOT_SET_ANYWHERE" in said, server.files) == (2, True, {})


@pytest.mark.parametrize("verb", ["submit", "fetch", "cancel"])
def test_a_folder_without_an_export_says_how_to_begin(verb: str, tmp_path: Path) -> None:
    code, said = batch(verb, tmp_path)
    assert (code, "no calls were exported here" in said) == (2, True)


def test_a_judge_that_computes_has_nothing_to_send(responses: Path, tmp_path: Path) -> None:
    code, said = batch("export", responses, "--judge", "proxy", "--out", tmp_path / "out")
    assert (code, "there is nothing to send" in said) == (2, True)


def test_a_file_holds_no_more_lines_and_bytes_than_the_host_takes(tmp_path: Path) -> None:
    lines = [b"x" * size + b"\n" for size in (300_000, 300_000, 600_000, 1_500_000, 10, 10, 10)]
    files = write_files(lines, tmp_path, BatchTerms(lines=2, megabytes=1), first=3)
    assert [(file.name, file.n_requests) for file in files] == [
        ("requests-003.jsonl", 2),
        ("requests-004.jsonl", 1),
        ("requests-005.jsonl", 1),  # longer than a file may be: the host has to say so
        ("requests-006.jsonl", 2),
        ("requests-007.jsonl", 1),
    ]
    assert b"".join((tmp_path / file.name).read_bytes() for file in files) == b"".join(lines)


def test_the_shipped_hosts_have_the_limits_that_they_publish() -> None:
    presets = load_presets()
    together, siliconflow = presets["deepseek-r1-together"].batch, presets["deepseek-r1-siliconflow"].batch
    assert together is not None
    assert siliconflow is not None
    assert (together.lines, together.megabytes, together.is_called) == (50_000, 100, False)
    assert (siliconflow.lines, siliconflow.price_share, siliconflow.is_called) == (5_000, 0.5, True)
