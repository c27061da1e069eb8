"""Key and texts go to the host that was named, and to nobody else; what was wrong is one line, and nothing was sent."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from diversity_judge.score import main
from tests.diversity_judge.score_runs import KEY, Finished, assert_key_is_nowhere, run
from tests.judge_faults import Behaviour, Faults, Rule
from tests.judge_process import REPOSITORY
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

SAMPLE = Sample(problems=("p0",), n=3)
SECRET = "hunter2-7f3a9c1e55d0"


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    return SAMPLE.write(tmp_path / "responses.jsonl")


def score(responses: Path, folder: Path, *options: str, **environment: str) -> Finished:
    """Run the command with these options alone, in an environment that has these variables too."""
    output = io.StringIO()
    argv = [str(responses), "--out", str(folder), "--no-heatmaps", "--retry-wait", "0.001", *options]
    with (
        mock.patch.dict(os.environ, environment),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        code = main(argv)
    return Finished(code, output.getvalue(), folder)


def at(server: JudgeServer) -> tuple[str, ...]:
    return ("--base-url", server.base_url, "--model", "loopback")


def test_no_key_that_was_not_named_and_no_header_of_another_company(responses: Path, tmp_path: Path) -> None:
    ambient = {
        "OPENAI_API_KEY": SECRET,
        "OPENAI_ADMIN_KEY": SECRET,
        "OPENAI_ORG_ID": SECRET,
        "OPENAI_PROJECT_ID": SECRET,
        "OPENAI_CUSTOM_HEADERS": f"Authorization: Bearer {SECRET}\nX-Team: {SECRET}",
    }
    with JudgeServer() as server:
        finished = score(responses, tmp_path / "run", *at(server), **ambient)
        assert finished.code == 0, finished.output
        for call in server.calls:
            assert SECRET not in str(dict(call.headers))


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_loopback_is_never_called_through_a_proxy(variable: str, responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server, JudgeServer() as proxy:
        address = proxy.base_url.removesuffix("/v1")
        for host in ("127.0.0.1", "localhost"):
            url = server.base_url.replace("127.0.0.1", host)
            endpoint = ("--base-url", url, "--model", "loopback", "--api-key-env", "MINE")
            finished = score(responses, tmp_path / host, *endpoint, **{variable: address, "MINE": KEY})
            assert finished.code == 0, finished.output
        assert len(server.calls) == 2 * SAMPLE.n_pairs
        assert (proxy.calls, proxy.record.max_connections) == ([], 0)


def test_another_host_is_called_through_the_proxy_that_the_environment_names(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as proxy:  # No such host exists: who answers is the proxy, which is sent the whole address.
        endpoint = ("--base-url", "http://judge.invalid/v1", "--model", "loopback")
        address = proxy.base_url.removesuffix("/v1")
        finished = score(responses, tmp_path / "run", *endpoint, http_proxy=address, no_proxy="")
        assert finished.code == 0, finished.output
        assert {call.headers["host"] for call in proxy.calls} == {"judge.invalid"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_is_an_error_that_names_both(status: int, responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as other:
        there = Behaviour(status=status, headers=(f"Location: {other.base_url}/chat/completions",))
        with JudgeServer(faults=Faults(otherwise=there)) as server:
            finished = run(responses, server, tmp_path / "run", concurrency=1)
        said = " ".join(finished.output.split())
        assert finished.code == 1
        assert server.base_url in said
        assert other.base_url.removesuffix("/v1") in said
        assert (len(server.calls), other.record.max_connections) == (1, 0)


def test_a_redirect_at_the_same_origin_is_followed(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        elsewhere = Behaviour(status=307, headers=("Location: /v2/chat/completions",))
        server.faults = Faults([Rule(elsewhere, attempts=1)])
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0, finished.output
        assert len(server.calls) == 2 * SAMPLE.n_pairs


@pytest.mark.parametrize("name", ["no_host", "local"])
def test_a_variable_that_was_named_and_is_not_set_stops_before_anything_is_sent(
    name: str, responses: Path, tmp_path: Path
) -> None:
    with JudgeServer() as server:
        url = server.base_url if name == "local" else "https://judge.example/v1"
        endpoint = ("--base-url", url, "--model", "m", "--api-key-env", "NO_SUCH_VARIABLE")
        finished = score(responses, tmp_path / "run", *endpoint)
        assert finished.code == 2
        assert "NO_SUCH_VARIABLE is not set" in finished.output
        assert server.calls == []


@pytest.mark.parametrize(
    ("character", "named"),
    [
        ("\u200b", "U+200B"),
        ("\ufeff", "U+FEFF"),
        ("\u00a0", "U+00A0"),
        ("\n", "a line break"),
        ("\r\n", "a line break"),
        (" ", "a blank"),
        ("\t", "a tab"),
        ("\x7f", "U+007F"),
        ("é", "U+00E9"),
    ],
)
@pytest.mark.parametrize("place", ["start", "inside", "end"])
def test_a_key_with_a_character_that_no_key_holds_is_refused_with_its_position(
    character: str, named: str, place: str, responses: Path, tmp_path: Path
) -> None:
    half = len(KEY) // 2
    key = {"start": character + KEY, "inside": KEY[:half] + character + KEY[half:], "end": KEY + character}[place]
    if place != "inside" and character.strip(" \t\r\n") == "":
        return  # Around a key these are what `$(cat file)` leaves, and are taken off.
    position = {"start": 1, "inside": half + 1, "end": len(KEY) + 1}[place]
    with JudgeServer() as server:
        finished = score(responses, tmp_path / "run", *at(server), "--api-key-env", "MINE", MINE=key)
        assert finished.code == 2
        assert f"{named} at position {position}" in " ".join(finished.output.split())
        assert server.calls == []
    assert KEY[:half] not in finished.output
    assert KEY[half:] not in finished.output


CREDENTIALS = {
    "with a scheme": "http://me:{secret}@{host}/v1",
    "a name alone": "http://{secret}@{host}/v1",
    "in the path": "http://{host}/{secret}/v1",
    "in the path, named": "http://{host}/token=abc-{secret}/v1",
}


@pytest.mark.parametrize("form", CREDENTIALS)
def test_credentials_in_the_address_are_used_and_shown_nowhere(form: str, responses: Path, tmp_path: Path) -> None:
    repeated = Behaviour(status=400, message=f"no {SECRET}")
    with JudgeServer(faults=Faults([Rule(repeated, pair=SAMPLE.pairs()[0])])) as server:
        host = server.base_url.removeprefix("http://").removesuffix("/v1")
        url = CREDENTIALS[form].format(secret=SECRET, host=host)
        finished = score(responses, tmp_path / "run", "--base-url", url, "--model", "loopback")
        assert finished.code == 3, finished.output
        assert len(server.calls) == SAMPLE.n_pairs
    assert SECRET not in finished.output
    for path in (path for path in finished.folder.rglob("*") if path.is_file()):
        assert SECRET.encode() not in path.read_bytes(), path.name


REFUSED = {
    "no scheme": "me:{secret}@host.example/v1",
    "another scheme": "ftp://me:{secret}@host.example/v1",
    "a query": "https://host.example/v1?api_key={secret}",
    "a fragment": "https://host.example/v1#{secret}",
    "a slash in the password": "https://me:x/{secret}@host.example/v1",
    "no host": "http:///v1/{secret}",
    "a port that is none": "http://me:{secret}@host.example:80a/v1",
    "a port too high": "http://host.example:99999/v1",
    "a port of zero": "http://host.example:0/v1",
    "a port left out": "http://host.example:/v1",
    "IPv6 without brackets": "http://::1:8000/v1",
    "IPv6 with one bracket": "http://[::1:8000/v1",
    "IPv6 that is none": "http://[::g]:8000/v1",
    "a blank": "http://host .example/v1",
    "a blank at the end": "http://host.example/v1 ",
    "a line break": "http://host.example/v1\nx",
    "an invisible character": "http://host.example/\u200bv1",
    "nothing": " ",
}


@pytest.mark.parametrize("form", REFUSED)
def test_an_address_that_cannot_be_called_or_shown_is_one_line(form: str, responses: Path, tmp_path: Path) -> None:
    finished = score(responses, tmp_path / "run", "--base-url", REFUSED[form].format(secret=SECRET), "--model", "m")
    assert finished.code == 2
    assert finished.output.startswith("error: ")
    assert finished.output.count("\n") == 1
    assert "base URL" in finished.output or "host" in finished.output or "port" in finished.output
    assert SECRET not in finished.output


@pytest.mark.parametrize(
    "parameter",
    [
        f"api_key={SECRET}",
        f"x-api-key={SECRET}",
        f'extra_headers={{"Authorization": "Bearer {SECRET}"}}',
        f'extra_body={{"provider": {{"secret": "{SECRET}"}}}}',
        f"user=sk-{SECRET}",
        f"access_token={SECRET}",
    ],
)
def test_a_parameter_that_is_a_credential_is_refused(parameter: str, responses: Path, tmp_path: Path) -> None:
    endpoint = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    finished = score(responses, tmp_path / "run", *endpoint, "--param", parameter)
    assert finished.code == 2
    assert "looks like a credential" in finished.output
    assert SECRET not in finished.output


def test_the_named_key_in_a_parameter_is_refused(responses: Path, tmp_path: Path) -> None:
    endpoint = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--api-key-env", "MINE")
    finished = score(responses, tmp_path / "run", *endpoint, "--param", f"user={SECRET}", MINE=SECRET)
    assert finished.code == 2
    assert SECRET not in finished.output


@pytest.mark.parametrize(
    "proxy", ["foo://proxy.example:1", "http://me:{secret}@proxy.example:80a", "http://", "http://[::1", "http://a b:1"]
)
def test_a_proxy_that_is_none_is_one_line_that_names_its_variable(proxy: str, responses: Path, tmp_path: Path) -> None:
    endpoint = ("--base-url", "https://judge.example/v1", "--model", "m")
    finished = score(responses, tmp_path / "run", *endpoint, https_proxy=proxy.format(secret=SECRET))
    assert finished.code == 2
    assert finished.output.startswith("error: https_proxy ")
    assert finished.output.count("\n") == 1
    assert SECRET not in finished.output


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_a_bad_file_of_certificates_is_one_line(content: str | None, responses: Path, tmp_path: Path) -> None:
    file = tmp_path / "certificates.pem"
    if content is not None:
        file.write_text(content)
    endpoint = ("--base-url", "https://judge.example/v1", "--model", "m")
    finished = score(responses, tmp_path / "run", *endpoint, SSL_CERT_FILE=str(file))
    assert finished.code == 2
    assert finished.output.startswith(f"error: SSL_CERT_FILE names {file}")
    assert finished.output.count("\n") == 1


def test_few_descriptors_lower_the_concurrency_and_say_so(tmp_path: Path) -> None:
    sample = Sample(problems=("p0",), n=12)
    responses = sample.write(tmp_path / "responses.jsonl")
    with JudgeServer(latency=0.05) as server:
        options = ["--concurrency", "256", "--no-heatmaps", "--out", str(tmp_path / "run")]
        done = subprocess.run(
            [sys.executable, "-m", "diversity_judge.score", str(responses), *at(server), *options],
            check=False,
            cwd=REPOSITORY,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said = " ".join(done.stdout.split())
        assert "calls at a time instead of 256" in said
        assert "descriptors" in said
        assert len(server.calls) == sample.n_pairs, "none was asked again"
        assert server.record.max_in_flight < 64


def test_the_key_is_nowhere_after_a_run_with_everything(responses: Path, tmp_path: Path) -> None:
    with JudgeServer() as server:
        finished = run(responses, server, tmp_path / "run")
        assert finished.code == 0, finished.output
        assert {call.headers["authorization"] for call in server.calls} == {f"Bearer {KEY}"}
    assert_key_is_nowhere(finished)
