"""A batch file's body is what a live call sends, and a batch's result is read as a live reply is."""

from __future__ import annotations

import asyncio
import json

from diversity_judge.hosts.completion import read_completion
from diversity_judge.hosts.secrets import NO_KEY
from diversity_judge.judges.base import Reply
from diversity_judge.judges.chat import ChatJudge
from diversity_judge.judges.chat_format import reply_of, request_body
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import Task
from diversity_judge.planning.prompting import PromptTemplate
from tests.diversity_judge.helpers import plan
from tests.judge_server import JudgeServer

PARAMETERS = {"temperature": 0.6, "max_tokens": 5, "extra_body": {"provider": {"allow_fallbacks": False}}}


def first_task() -> Task:
    return next(iter(plan(["R#a# one", "R#b# two"]).tasks("f")))


def test_a_body_holds_model_prompt_and_parameters_with_the_extra_ones_beside_them() -> None:
    spec = JudgeSpec("j", "m", base_url="https://h.example/v1", parameters=PARAMETERS)
    assert request_body(spec, "Compare.") == {
        "model": "m",
        "messages": [{"role": "user", "content": "Compare."}],
        "temperature": 0.6,
        "max_tokens": 5,
        "provider": {"allow_fallbacks": False},
    }


def test_a_live_call_sends_that_body_and_its_reply_is_read_alike() -> None:
    template, task = PromptTemplate.load(), first_task()

    async def ask(judge: ChatJudge) -> Reply:
        try:
            return await judge.ask(task)
        finally:
            await judge.aclose()

    with JudgeServer() as server:
        spec = JudgeSpec("j", "m", base_url=server.base_url, parameters=PARAMETERS)
        live = asyncio.run(ask(ChatJudge(spec, template, NO_KEY, deadline_s=10.0)))
        (call,) = server.calls
    prompt = template.fill(task.text1, task.text2)
    assert call.body == json.loads(json.dumps(request_body(spec, prompt)))
    in_a_batch = {
        "choices": [{"message": {"content": live.content}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": live.prompt_tokens,
            "completion_tokens": live.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": live.cached_tokens},
        },
        "model": "loopback",
        "system_fingerprint": "fp_loopback",
    }
    assert reply_of(read_completion(json.dumps(in_a_batch)), live.latency_s) == live
