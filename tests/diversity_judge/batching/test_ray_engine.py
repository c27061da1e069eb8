"""Exported calls through a local Ray, against the judge on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.batching.ray_engine import _for_vllm, _from_http, _from_vllm
from diversity_judge.batching.results import result_of
from diversity_judge.judges.base import Reply
from diversity_judge.ledger import Failure
from tests.diversity_judge.batching.test_batch import NOBODY, batch, calls_of, export
from tests.diversity_judge.score_runs import KEY, assert_exact, run
from tests.judge_faults import BEHAVIOURS, Faults, Rule
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(n=4)


@pytest.mark.timeout(300)
def test_ray_brings_every_reply_once_and_what_failed_is_left_for_the_next_command(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    responses, out = SAMPLE.write(tmp_path / "r.jsonl"), tmp_path / "out"
    with JudgeServer(faults=Faults([Rule(BEHAVIOURS["400"], pair=SAMPLE.pairs()[0], attempts=1)])) as server:
        assert export(responses, out, server.base_url)[0] == 0
        ray = ("run", out, "--engine", "ray", "--base-url", server.base_url, "--workers", "1")
        code, said = batch(*ray)
        assert code == 3, said
        assert f"{SAMPLE.n_pairs - 1} new replies" in said
        assert {call.headers["authorization"] for call in server.calls} == {f"Bearer {KEY}"}
        finished = run(responses, server, out)
    assert finished.code == 0
    assert_exact(finished, SAMPLE)
    assert finished.manifest["judgments"]["replies"] == SAMPLE.n_pairs


def test_a_call_becomes_what_vllm_takes_and_its_output_a_completion(tmp_path: Path) -> None:
    responses, out = SAMPLE.write(tmp_path / "r.jsonl"), tmp_path / "out"
    options = ("--max-tokens", "10", "--param", "temperature=0.6", "--param", 'extra_body={"provider": {"a": 1}}')
    assert export(responses, out, NOBODY, *options)[0] == 0
    call, *_ = calls_of(out)
    asked = _for_vllm({"custom_id": call["custom_id"], "body": json.dumps(call["body"])})
    assert asked["messages"] == call["body"]["messages"]
    assert asked["sampling_params"] == {"max_tokens": 10, "temperature": 0.6}
    for n, ending in ((4, "stop"), (10, "length")):
        said = {"generated_text": "[Final Score: 3]", "num_generated_tokens": n, "num_input_tokens": 20}
        line = result_of(json.loads(_from_vllm({**asked, **said})["result"]), host="h", model="m")
        assert isinstance(line.outcome, Reply)
        assert (line.key, line.outcome.content) == (call["custom_id"], "[Final Score: 3]")
        assert (line.outcome.finish_reason, line.outcome.prompt_tokens) == (ending, 20)


def test_without_ray_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    responses, out = SAMPLE.write(tmp_path / "r.jsonl"), tmp_path / "out"
    assert export(responses, out)[0] == 0
    monkeypatch.setattr("diversity_judge.batching.ray_engine.importlib.util.find_spec", lambda name: None)
    code, said = batch("run", out, "--engine", "ray", "--base-url", NOBODY)
    assert (code, "pip install 'diversity-judge[ray]'" in said) == (2, True)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no such model"}},
        {"object": "error", "message": "no such model"},
        {"detail": "Not Found"},
        {},
    ],
)
def test_what_a_server_says_instead_of_a_completion_is_no_reply(body: dict[str, Any]) -> None:
    line = json.loads(_from_http({"custom_id": "k", "http_response": body})["result"])
    assert isinstance(result_of(line, host="h", model="m").outcome, Failure)
