import asyncio
import dataclasses
import time
from email.utils import formatdate
from typing import Any

import pytest

from diversity_judge.errors import InputError, RunError
from generation.engines import Generation, GenerationRequest, SampleFailedError, check_strategies
from generation.engines.servers import ServerOptions, ServersEngine
from generation.prompt_formats import Message
from generation.strategies import TokenSampling, load_presets, parse_strategies
from tests.generation.fake_server import FakeServer, Reply, response_text, serving

REQUEST = GenerationRequest((Message("user", "2+2?"),), TokenSampling(0.7, 0.8, 20), 11, {}, 100)
QUICK: dict[str, Any] = {"longest_wait": 0.01, "attempts": 4}


def error(status: int, message: str = "busy", **headers: str) -> Reply:
    return status, {"error": {"message": message}}, headers


async def ask(options: ServerOptions, *requests: GenerationRequest) -> list[Generation]:
    engine = ServersEngine(options)
    try:
        await engine.start()
        return list(await asyncio.gather(*map(engine.generate, requests)))
    finally:
        await engine.close()


def generate(server: FakeServer, request: GenerationRequest = REQUEST, **options: Any) -> Generation:
    options = QUICK | options
    return asyncio.run(ask(ServerOptions((server.url,), **options), request))[0]


def test_everything_that_matters_is_in_the_request() -> None:
    with serving(FakeServer()) as server:
        result = generate(server, dataclasses.replace(REQUEST, extra_args={"edt": 1}))
    (body,) = server.bodies
    assert body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "2+2?"}],
        "temperature": 0.7,
        "top_p": 0.8,
        "presence_penalty": 0.0,
        "seed": 11,
        "max_tokens": 100,
        "top_k": 20,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "vllm_xargs": {"edt": 1, "expert_sample": 0},
    }
    assert result == Generation(response_text(body), "stop", len(response_text(body)))


def test_other_servers_are_told_nothing_that_is_off() -> None:
    with serving(FakeServer(is_vllm=False)) as server:
        generate(server, dataclasses.replace(REQUEST, tokens=TokenSampling(), max_tokens=None))
    (body,) = server.bodies
    assert set(body) == {"model", "messages", "temperature", "top_p", "presence_penalty", "seed"}


@pytest.mark.parametrize(
    "odd", [{"choices": []}, {"choices": [{"index": 0}]}, {"choices": None, "usage": {"completion_tokens": 9}}]
)
def test_a_completion_without_a_message_may_be_paid_for_and_is_asked_again_twice(odd: dict[str, Any]) -> None:
    with serving(FakeServer(faults=lambda body, number: (200, odd, {}))) as server:
        with pytest.raises(SampleFailedError, match="not a completion"):
            generate(server, attempts=6)
        assert len(server.bodies) == 3
    with serving(FakeServer(faults=lambda body, number: (200, odd, {}) if number < 3 else None)) as server:
        assert generate(server, attempts=6).finish_reason == "stop"
    with serving(FakeServer(faults=lambda body, number: (200, odd, {}))) as server:
        with pytest.raises(SampleFailedError):
            generate(server, attempts=2)
        assert len(server.bodies) == 2


def test_what_is_no_completion_cost_nothing_and_is_asked_again_as_often_as_was_said() -> None:
    with serving(FakeServer(faults=lambda body, number: (200, {"page": "maintenance"}, {}))) as server:
        with pytest.raises(SampleFailedError):
            generate(server, attempts=5)
        assert len(server.bodies) == 5


def test_base_models_get_plain_text() -> None:
    with serving(FakeServer()) as server:
        generate(server, chat_template=False)
    assert server.bodies[0]["prompt"] == "2+2?"
    assert "messages" not in server.bodies[0]


def test_chat_template_options_are_passed_on() -> None:
    with serving(FakeServer()) as server:
        generate(server, chat_template_kwargs={"enable_thinking": False})
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "b", "reasoning": "a"}, "<think>\na\n</think>\n\nb"),
        ({"content": "b", "reasoning_content": "a"}, "<think>\na\n</think>\n\nb"),
        ({"content": None, "reasoning_content": "cut o"}, "<think>\ncut o"),
        ({"content": "a</think>b"}, "a</think>b"),
    ],
)
def test_reasoning_that_the_server_took_apart_is_put_back(message: dict[str, Any], text: str) -> None:
    choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant"} | message}
    reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [choice]}
    with serving(FakeServer(faults=lambda body, number: (200, reply, {}))) as server:
        assert generate(server) == Generation(text, "length", None)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_passing_faults_are_tried_again(status: int) -> None:
    with serving(FakeServer(faults=lambda body, number: error(status) if number < 4 else None)) as server:
        assert generate(server).finish_reason == "stop"
    assert len(server.bodies) == 4
    assert server.bodies[0] == server.bodies[3]


def test_a_fault_that_stays_fails_the_sample_and_says_why() -> None:
    with (
        serving(FakeServer(faults=lambda body, number: error(500, "out of order"))) as server,
        pytest.raises(SampleFailedError, match="HTTP 500: out of order"),
    ):
        generate(server)
    assert len(server.bodies) == 4


def test_a_bad_request_is_not_repeated() -> None:
    with (
        serving(FakeServer(faults=lambda body, number: error(400, "prompt too long"))) as server,
        pytest.raises(SampleFailedError, match="prompt too long"),
    ):
        generate(server)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(("status", "message"), [(401, "refuses the key"), (402, "balance"), (404, "--base-url")])
def test_what_no_request_survives_stops_the_run(status: int, message: str) -> None:
    with (
        serving(FakeServer(faults=lambda body, number: error(status))) as server,
        pytest.raises(RunError, match=message),
    ):
        generate(server)
    assert len(server.bodies) == 1


def test_a_server_is_not_asked_before_it_allows_whatever_the_longest_wait() -> None:
    arrived: list[float] = []

    def busy(body: dict[str, Any], number: int) -> Reply | None:
        arrived.append(time.monotonic())
        if number == 1:
            return error(429, **{"Retry-After": "0.5"})
        # A date has whole seconds: one two seconds from now is more than one second away.
        later = formatdate(time.time() + 2, usegmt=True)
        return error(503, **{"Retry-After": later}) if number == 2 else None

    with serving(FakeServer(faults=busy)) as server:
        assert generate(server, longest_wait=0.01).finish_reason == "stop"
    assert arrived[1] - arrived[0] >= 0.5
    assert arrived[2] - arrived[1] >= 1.0


def test_a_wait_that_is_longer_than_a_response_may_take_fails_the_sample_and_says_so() -> None:
    with (
        serving(FakeServer(faults=lambda body, number: error(429, **{"Retry-After": "3600"}))) as server,
        pytest.raises(SampleFailedError, match=r"asks to wait 3,\d+ s.*--deadline 60"),
    ):
        generate(server, deadline=60.0)
    assert len(server.bodies) == 1


def test_while_one_server_rests_another_answers() -> None:
    resting = FakeServer(faults=lambda body, number: error(429, **{"Retry-After": "3600"}))
    with serving(resting), serving(FakeServer()) as other:
        result = asyncio.run(ask(ServerOptions((resting.url, other.url), **QUICK), REQUEST))
    assert result[0].finish_reason == "stop"
    assert (len(resting.bodies), len(other.bodies)) == (1, 1)


def test_403_fails_one_sample_since_some_hosts_say_it_of_one_text() -> None:
    with (
        serving(FakeServer(faults=lambda body, number: error(403, "flagged"))) as server,
        pytest.raises(SampleFailedError, match="flagged"),
    ):
        generate(server)
    assert len(server.bodies) == 1


def test_a_response_past_its_deadline_fails() -> None:
    with serving(FakeServer(seconds=0.5)) as server, pytest.raises(SampleFailedError, match=r"within 0\.05 s"):
        generate(server, deadline=0.05)


def test_requests_are_spread_over_servers_and_a_broken_one_is_avoided() -> None:
    requests = [dataclasses.replace(REQUEST, seed=seed) for seed in range(12)]
    broken = FakeServer(faults=lambda body, number: error(503))
    with serving(FakeServer(seconds=0.05)) as first, serving(FakeServer(seconds=0.05)) as second:
        asyncio.run(ask(ServerOptions((first.url, second.url), **QUICK), *requests))
        assert (len(first.bodies), len(second.bodies)) == (6, 6)
        with serving(broken):
            done = asyncio.run(ask(ServerOptions((broken.url, first.url), **QUICK), *requests))
    assert [result.text for result in done] == [response_text(body) for body in sorted_by_seed(first.bodies[6:])]


def sorted_by_seed(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(bodies, key=lambda body: int(body["seed"]))


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    with serving(FakeServer()) as server:
        generate(server, api_key_env="MY_KEY")
    assert server.keys == {"Bearer secret"}
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(InputError, match="MY_KEY is not set"):
        ServersEngine(ServerOptions(("http://127.0.0.1:1/v1",), api_key_env="MY_KEY"))


def test_servers_that_cannot_serve_are_named_at_the_start() -> None:
    with serving(FakeServer(models=("a", "b"))) as server:
        with pytest.raises(RunError, match="choose one by --model"):
            generate(server)
        with pytest.raises(RunError, match="serves a, b, not 'c'"):
            generate(server, model="c")
    with pytest.raises(RunError, match="is the server up"):
        asyncio.run(ask(ServerOptions(("http://127.0.0.1:9/v1",))))


async def check(server: FakeServer, *strategies: str) -> None:
    engine = ServersEngine(ServerOptions((server.url,), **QUICK))
    try:
        await engine.start()
        await check_strategies(engine, parse_strategies(strategies, load_presets()))
    finally:
        await engine.close()


def test_a_server_without_the_plugin_is_refused_for_expert_sample_and_edt_only() -> None:
    with serving(FakeServer(plugin=False)) as server:
        asyncio.run(check(server, "token-normal", "token-high", "greedy"))
        with pytest.raises(RunError, match=r"'expert-sample' cannot be sampled by .*plugin is not active"):
            asyncio.run(check(server, "token-normal", "expert-sample"))
        with pytest.raises(RunError, match="'edt' cannot be sampled by"):
            asyncio.run(check(server, "edt"))


def test_a_server_that_refuses_the_field_itself_does_not_count_as_having_the_plugin() -> None:
    def strict(body: dict[str, Any], number: int) -> Reply | None:
        fields = body.get("vllm_xargs")
        return error(400, f"extra fields not permitted: {fields}") if fields else None

    with serving(FakeServer(is_vllm=False, faults=strict)) as server:
        with pytest.raises(RunError, match="plugin is not active"):
            asyncio.run(check(server, "expert-sample"))
        with pytest.raises(RunError, match="EDT logits processor is not active"):
            asyncio.run(check(server, "edt"))


def test_settings_that_do_not_fit_the_model_are_refused_with_the_servers_sentence() -> None:
    def no_room(body: dict[str, Any], number: int) -> Reply | None:
        if body.get("vllm_xargs", {}).get("expert_sample_k_keep") == 9:
            return error(400, "k_keep is 9; for this model (k=4 of 32 experts) it must be from 0 to 4.")
        return None

    with serving(FakeServer(faults=no_room)) as server:
        asyncio.run(check(server, "expert-sample"))
        with pytest.raises(InputError, match="must be from 0 to 4"):
            asyncio.run(check(server, "expert-sample:k_keep=9"))
