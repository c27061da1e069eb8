"""A loopback server that speaks vLLM's OpenAI-compatible API, with faults on demand.

Its "responses" are a function of the request alone, as a seeded model's are.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from generation.edt_settings import EDTSettings
from generation.expert_sample.settings import ExpertSampleSettings

Server = TypeVar("Server", bound="FakeServer")
Reply = tuple[int, dict[str, Any], dict[str, str]]


@dataclass
class FakeServer:
    """What the server does and what it was asked.

    Attributes:
        plugin: Whether it has Expert-Sample and EDT.
        experts: Active experts of its model, and all experts of a layer.
        is_vllm: Whether it answers `/version`.
        models: Names that it serves.
        contexts: Tokens of the longest text by model, where it says so.
        faults: Called with (request body, number of the request); a reply replaces the usual one.
        seconds: How long a response takes.
        bodies: The request bodies of completions, in order of arrival.
        keys: The keys that were sent.
    """

    plugin: bool = True
    experts: tuple[int, int] = (8, 128)
    is_vllm: bool = True
    models: tuple[str, ...] = ("tiny",)
    contexts: dict[str, int] = field(default_factory=dict)
    faults: Callable[[dict[str, Any], int], Reply | None] = lambda body, number: None
    seconds: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    url: str = ""

    @property
    def samples(self) -> list[dict[str, Any]]:
        """The bodies without the probes of one token."""
        return [body for body in self.bodies if body.get("max_tokens") != 1]

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        """Answer a POST."""
        return self.complete(body, chat=path == "/v1/chat/completions")

    def complete(self, body: dict[str, Any], *, chat: bool) -> Reply:
        """Answer a completion."""
        self.bodies.append(body)
        fault = self.faults(body, len(self.bodies))
        if fault is not None:
            return fault
        if self.plugin:
            try:
                settings = ExpertSampleSettings.from_mapping(body.get("vllm_xargs", {}))
                if settings is not None:
                    settings.resolve(*self.experts)
                EDTSettings.from_extra_args(body.get("vllm_xargs"))
            except ValueError as error:
                return 400, {"error": {"message": str(error), "code": 400}}, {}
        time.sleep(self.seconds)
        text = response_text(body)
        usage = {"prompt_tokens": 5, "completion_tokens": len(text), "total_tokens": 5 + len(text)}
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        kind = "chat.completion" if chat else "text_completion"
        return 200, {"id": "1", "object": kind, "created": 0, "model": "tiny", "choices": [choice], "usage": usage}, {}


def response_text(body: dict[str, Any]) -> str:
    """The response that belongs to a request: half of them give the answer 4."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return f"steps {digest[:12]}, so \\boxed{{{4 if int(digest, 16) % 2 else 5}}}"


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run a server on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/version" and server.is_vllm:
                return self.reply(200, {"version": "0.32.0"}, {})
            if self.path == "/v1/models":
                data = [
                    {"id": name, "object": "model", "created": 0, "owned_by": "x"}
                    | ({"max_model_len": server.contexts[name]} if name in server.contexts else {})
                    for name in server.models
                ]
                return self.reply(200, {"object": "list", "data": data}, {})
            return self.reply(404, {"error": {"message": "no such path"}}, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.keys.add(self.headers["Authorization"])
            self.reply(*server.answer(self.path, body))

        def reply(self, status: int, content: dict[str, Any], headers: dict[str, str]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in (
                {"Content-Type": "application/json", "Content-Length": str(len(data))} | headers
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that was killed is part of the test."""

    http = QuietServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
