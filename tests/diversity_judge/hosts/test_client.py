"""One call over real sockets: what is sent, to whom, through what, and what each failure is called."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from diversity_judge.hosts.address import read_address
from diversity_judge.hosts.calls import FatalError, TransientError
from diversity_judge.hosts.client import HostClient
from diversity_judge.hosts.secrets import NO_KEY
from diversity_judge.rubric import Missing
from tests.judge_faults import Behaviour, Faults, Rule
from tests.judge_server import JudgeServer
from tests.relays import Certificate, Relay, http_tunnel, make_certificate, socks5

KEY = "sk-of-the-judge-4711"
PASSWORD = "hunter2-7f3a9c1e55d0"
BODY = {"model": "loopback", "messages": [{"role": "user", "content": "two texts: é \u2028"}]}


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer() as judge:
        yield judge


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def post(url: str, *, key: str = KEY, times: int = 1, at_once: int = 1, deadline_s: float = 30.0) -> list[str]:
    """The replies of so many calls over one client."""

    async def go() -> list[str]:
        client = HostClient(read_address(url), key, key_name="MINE", model="loopback", deadline_s=deadline_s)
        places = asyncio.Semaphore(at_once)

        async def call() -> str:
            async with places:
                return await client.post("/chat/completions", BODY)

        try:
            return await asyncio.gather(*(call() for _ in range(times)))
        finally:
            await client.close()

    return asyncio.run(go())


def test_a_request_carries_what_was_named_and_nothing_else(
    server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, PASSWORD)
    (reply,) = post(server.base_url)
    (call,) = server.calls
    length = call.headers["content-length"]
    assert dict(call.headers) == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "authorization": f"Bearer {KEY}",
        "user-agent": "diversity-judge",
        "content-type": "application/json",
        "content-length": length,
    }
    assert call.body == BODY
    assert json.loads(reply)["choices"]


def test_a_name_and_a_password_in_the_address_are_the_header_that_they_are_for(server: JudgeServer) -> None:
    post(server.base_url.replace("//", f"//me:{PASSWORD}%20%C3%A9@"))
    named = base64.b64encode(f"me:{PASSWORD} é".encode()).decode()
    assert server.calls[0].headers["authorization"] == f"Basic {named}"


def test_the_company_whose_variables_they_are_is_told_the_organisation_and_the_project(
    server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    monkeypatch.setenv("http_proxy", server.base_url.removesuffix("/v1"))
    post("http://api.openai.com/v1")  # answered by the proxy
    headers = server.calls[0].headers
    assert (headers["host"], headers["openai-organization"], headers["openai-project"]) == (
        "api.openai.com",
        "org-1",
        "proj-2",
    )


def test_connections_are_as_many_as_calls_in_flight_and_used_again(server: JudgeServer) -> None:
    assert len(post(server.base_url, times=40, at_once=5)) == 40
    assert server.record.max_connections <= 5


def test_one_client_serves_several_event_loops_one_after_the_other(server: JudgeServer) -> None:
    client = HostClient(read_address(server.base_url), NO_KEY, key_name=None, model="loopback", deadline_s=30)

    async def go() -> str:
        try:
            return await client.post("/chat/completions", BODY)
        finally:
            await client.close()

    assert asyncio.run(go())
    assert asyncio.run(go())


@pytest.mark.parametrize("status", [301, 302, 303])
def test_after_these_redirects_a_request_is_a_get_without_a_body(status: int, server: JudgeServer) -> None:
    server.faults = Faults([Rule(Behaviour(status=status, headers=("Location: /v1/models",)), attempts=1)])
    (reply,) = post(server.base_url)
    assert json.loads(reply)["data"][0]["id"] == "loopback"


@pytest.mark.parametrize("location", ["chat/completions", "http://[", "mailto:judge", "//", ""])
def test_a_redirect_that_leads_nowhere_is_told_from_a_host_that_is_busy(location: str, server: JudgeServer) -> None:
    server.faults = Faults(otherwise=Behaviour(status=307, headers=(f"Location: {location}",)))
    with pytest.raises(FatalError, match="a redirect that leads nowhere"):
        post(server.base_url)


def test_https_is_called_with_the_certificates_that_the_environment_names(
    server: JudgeServer, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Relay(server.port, context=certificate.context) as relay:
        url = f"https://localhost:{relay.port}/v1"
        with pytest.raises(TransientError, match="certificate verify failed"):
            post(url)
        assert server.calls == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
        assert post(url)


def test_through_a_tunnel_the_proxy_is_told_its_own_password_and_not_the_hosts_key(
    server: JudgeServer, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    with (
        Relay(server.port, context=certificate.context) as host,
        Relay(host.port, handshake=http_tunnel, password=f"me:{PASSWORD}") as proxy,
    ):
        monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        assert post("https://judge.invalid/v1")
    (asked,) = proxy.asked
    assert asked.startswith("CONNECT judge.invalid:443 ")
    assert KEY not in asked
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert not any(PASSWORD in value for value in server.calls[0].headers.values())


def test_a_proxy_that_wants_a_password_stops_the_run_and_says_where_it_belongs(
    server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Relay(server.port, handshake=http_tunnel, password="me:another") as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        with pytest.raises(FatalError, match="put them into the proxy's URL") as caught:
            post("https://judge.invalid/v1")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_looks_the_name_up_and_passes_the_call_on(
    scheme: str, server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Relay(server.port, handshake=socks5, password=f"me:{PASSWORD}") as proxy:
        monkeypatch.setenv("all_proxy", f"{scheme}://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        assert post("http://judge.invalid/v1")
        assert proxy.asked == ["judge.invalid:80"]
        monkeypatch.setenv("all_proxy", f"{scheme}://me:{PASSWORD}x@127.0.0.1:{proxy.port}")
        with pytest.raises(TransientError, match="no connection to http") as caught:
            post("http://judge.invalid/v1")
    assert caught.value.reason == Missing.CONNECTION
    assert PASSWORD not in str(caught.value)


def test_a_proxy_that_nobody_serves_is_a_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@127.0.0.1:9")
    with pytest.raises(TransientError) as caught:
        post("https://judge.invalid/v1")
    assert caught.value.reason == Missing.CONNECTION
    assert PASSWORD not in str(caught.value)


def test_the_deadline_is_of_the_whole_call_its_redirects_included(server: JudgeServer) -> None:
    again = Behaviour(status=307, headers=("Location: /v1/chat/completions",), first_byte_after=0.2)
    server.faults = Faults(otherwise=again)
    with pytest.raises(TransientError) as caught:
        post(server.base_url, deadline_s=0.5)
    assert caught.value.reason == Missing.TIMEOUT
    assert len(server.calls) < 5


def test_a_file_of_certificates_is_read_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(Exception, match="SSL_CERT_FILE"):
        HostClient(read_address("https://judge.invalid/v1"), KEY, key_name=None, model="m", deadline_s=1)
