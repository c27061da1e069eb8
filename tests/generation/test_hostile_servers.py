"""Servers that misbehave, and secrets in addresses: one sample fails, nothing is leaked, nothing goes elsewhere."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.errors import InputError, RunError
from diversity_judge.hosts import transport
from generation.engines import Generation, GenerationRequest, SampleFailedError
from generation.engines.servers import ServerOptions, ServersEngine
from generation.prompt_formats import Message
from generation.sample import main
from generation.sampling.options import SampleOptions
from generation.sampling.run import _run_note
from generation.strategies import TokenSampling
from tests.diversity_judge.engine.test_hostile_replies import UNREADABLE
from tests.generation.fake_server import FakeServer, Reply, serving
from tests.judge_faults import Behaviour, Faults
from tests.judge_server import JudgeServer

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hunter2-7f3a9c1e55d0"
REQUEST = GenerationRequest((Message("user", "2+2?"),), TokenSampling(0.7, 0.8, 20), 11, {}, 100)


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps({"problem_id": "a", "problem": "2+2?"}) + "\n")
    return path


def sample(problems: Path, url: str, *more: str) -> int:
    out = str(problems.with_name("out") / "responses.jsonl")
    return main(
        [str(problems), "--base-url", url, "--model", "tiny", "--out", out, "--n", "3", "--max-attempts", "1", *more]
    )


def assert_nowhere(secret: str, problems: Path, output: str) -> None:
    assert secret not in output
    for path in problems.with_name("out").rglob("*"):
        assert secret.encode() not in path.read_bytes(), path.name


@contextmanager
def misbehaving(behaviour: Behaviour) -> Iterator[JudgeServer]:
    """A server that serves `loopback` and answers every completion in this way."""
    with JudgeServer(faults=Faults(otherwise=behaviour)) as server:
        yield server


def ask(url: str, **options: Any) -> Generation:
    async def once() -> Generation:
        engine = ServersEngine(ServerOptions((url,), **({"attempts": 1, "longest_wait": 0.01} | options)))
        try:
            await engine.start()
            return await engine.generate(REQUEST)
        finally:
            await engine.close()

    return asyncio.run(once())


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_completion_fails_one_sample(name: str) -> None:
    with misbehaving(UNREADABLE[name]) as server, pytest.raises(SampleFailedError):
        ask(server.base_url)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(content="a", raw_usage="many"),
        Behaviour(content="a", raw_usage=[1]),
        Behaviour(content="a", raw_usage={"completion_tokens": 10**30}),
        Behaviour(content="a", raw_usage={"completion_tokens": -1}),
        Behaviour(content="a", in_parts=True, usage=None),
        Behaviour(content="a", usage=None, content_type="application/json; charset=hex"),
    ],
)
def test_a_response_in_an_odd_form_is_read(behaviour: Behaviour) -> None:
    with misbehaving(behaviour) as server:
        assert ask(server.base_url) == Generation("a", "stop", None)


def test_a_response_without_end_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LONGEST_REPLY", 2**20)
    with misbehaving(Behaviour(endless="gzip")) as server, pytest.raises(SampleFailedError, match="limit of 1 MiB"):
        ask(server.base_url)


def test_a_redirect_to_another_origin_stops_the_run_and_names_both() -> None:
    with JudgeServer() as other:
        there = Behaviour(status=307, headers=(f"Location: {other.base_url}/chat/completions",))
        with misbehaving(there) as server, pytest.raises(RunError) as caught:
            ask(server.base_url)
        assert server.base_url in str(caught.value)
        assert other.base_url.removesuffix("/v1") in str(caught.value)
        assert other.record.max_connections == 0


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_loopback_is_never_called_through_a_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with JudgeServer() as proxy, serving(FakeServer()) as server:
        monkeypatch.setenv(variable, proxy.base_url.removesuffix("/v1"))
        assert ask(server.url).finish_reason == "stop"
        assert proxy.record.max_connections == 0


def test_no_key_that_was_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, SECRET)
    with JudgeServer() as server:
        ask(server.base_url)
        assert SECRET not in str(dict(server.calls[0].headers))


def test_a_key_with_an_invisible_character_is_refused(
    problems: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINE", SECRET + "\u200b" + SECRET)
    with serving(FakeServer()) as server:
        assert sample(problems, server.url, "--api-key-env", "MINE") == 2
        assert server.bodies == []
    output = "".join(capsys.readouterr())
    assert "U+200B at position 21" in " ".join(output.split())
    assert SECRET not in output


@pytest.mark.parametrize("form", ["http://me:{secret}@{host}/v1", "http://{secret}@{host}/v1"])
def test_credentials_in_the_address_stand_in_no_file_and_no_output(
    form: str, problems: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def repeats(body: dict[str, Any], number: int) -> Reply | None:
        return (400, {"error": {"message": f"bad request by {SECRET}"}}, {}) if number == 1 else None

    with serving(FakeServer(faults=repeats)) as server:
        url = form.format(secret=SECRET, host=server.url.removeprefix("http://").removesuffix("/v1"))
        assert sample(problems, url, "--dry-run") == 0
        assert sample(problems, url) == 3
        assert all(key.startswith("Basic ") for key in server.keys)
    output = "".join(capsys.readouterr())
    assert "bad request by [key]" in output
    assert_nowhere(SECRET, problems, output)


def test_a_key_that_a_server_repeats_stands_in_no_file_and_no_output(
    problems: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def repeats(body: dict[str, Any], number: int) -> Reply | None:
        return (400, {"error": {"message": f"bad key {SECRET}"}}, {}) if number == 1 else None

    monkeypatch.setenv("MINE", SECRET)
    with serving(FakeServer(faults=repeats)) as server:
        assert sample(problems, server.url, "--api-key-env", "MINE") == 3
    assert_nowhere(SECRET, problems, "".join(capsys.readouterr()))


@pytest.mark.parametrize(
    "url",
    ["me:{secret}@h.example/v1", "http://h.example:80a/v1", "http://::1:8000/v1", "http://h/v1?k={secret}", "h"],
)
def test_an_address_that_cannot_be_called_or_shown_is_one_line(
    url: str, problems: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sample(problems, url.format(secret=SECRET)) == 2
    output = "".join(capsys.readouterr())
    assert output.startswith("error: ")
    assert output.count("\n") == 1
    assert SECRET not in output
    assert not problems.with_name("out").exists()


def test_a_bad_file_of_certificates_and_a_bad_proxy_are_one_line(
    problems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        assert sample(problems, "https://h.example/v1") == 2
    monkeypatch.setenv("https_proxy", "foo://proxy.example")
    assert sample(problems, "https://h.example/v1") == 2
    lines = [line for line in "".join(capsys.readouterr()).splitlines() if line.startswith("error: ")]
    assert [line.split()[1] for line in lines] == ["SSL_CERT_FILE", "https_proxy"]


def test_a_credential_among_the_options_of_the_template_is_refused() -> None:
    with pytest.raises(InputError, match="api_key looks like a credential"):
        ServersEngine(ServerOptions(("http://127.0.0.1:9/v1",), chat_template_kwargs={"api_key": SECRET}))


def test_a_list_of_models_that_is_none_or_holds_escapes_is_one_sentence() -> None:
    for models, said in ((("\x1b[2J",), r"serves \\x1b\[2J, not 'tiny'"), (("a\nb", "c"), r"serves a\\nb, c, not")):
        with serving(FakeServer(models=models)) as server, pytest.raises(RunError, match=said):
            ask(server.url, model="tiny")


def test_a_credential_among_the_engines_arguments_is_not_in_the_note_of_the_run(problems: Path) -> None:
    options = SampleOptions(problems=problems, model="m", engine_args={"hf_token": SECRET, "dtype": "float32"})
    assert _run_note(options)["engine_args"] == {"hf_token": "[key]", "dtype": "float32"}


def test_few_descriptors_are_enough_and_said(problems: Path) -> None:
    out = problems.with_name("out") / "responses.jsonl"
    with JudgeServer(latency=0.02) as server:
        options = ["--base-url", server.base_url, "--model", "loopback", "--out", str(out)]
        options += ["--n", "200", "--max-attempts", "1", "--concurrency", "256"]
        done = subprocess.run(
            [sys.executable, "-m", "generation.sample", str(problems), *options],
            check=False,
            cwd=ROOT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "calls at a time instead of 256" in " ".join(done.stderr.split())
    assert len(out.read_text().splitlines()) == 200
    assert 1 < server.record.max_in_flight < 64
