"""A provider's batch API on loopback: files and batches over real HTTP, with the judge's exact answers.

    POST /v1/files (multipart) -> POST /v1/batches -> GET /v1/batches/ID -> GET /v1/files/ID/content

A batch stands in progress until the test says `finish()`. What each line is answered with is the test's rule; by
default a reply with the score that `tests.judge_texts` gives the pair.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.judge_texts import KnownTexts, question_in, score_of, summary_of

Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""From a line of calls to its line of results."""


def completion(line: dict[str, Any]) -> dict[str, Any]:
    """The completion that the judge gives to one call."""
    return {
        "id": f"cmpl-{line['custom_id'][:8]}",
        "object": "chat.completion",
        "model": "loopback",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _answer(line), "reasoning": "hm"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


def _answer(line: dict[str, Any]) -> str:
    prompt = line["body"]["messages"][0]["content"]
    question = question_in(prompt)
    if question is not None and question[0] == "summary":
        return summary_of(question[1][0])
    pair = KnownTexts({}).pair_in(prompt)
    assert pair is not None
    return f"[Final Score: {score_of(*pair)}]"


def provider_line(line: dict[str, Any]) -> dict[str, Any]:
    """A result as providers write it."""
    response = {"status_code": 200, "request_id": "r", "body": completion(line)}
    return {"id": "batch_req_1", "custom_id": line["custom_id"], "response": response, "error": None}


def failed_line(line: dict[str, Any]) -> dict[str, Any]:
    """A call that the provider did not answer."""
    error = {"code": "server_error", "message": "overloaded"}
    return {"id": "batch_req_2", "custom_id": line["custom_id"], "response": None, "error": error}


@dataclass
class BatchServer:
    """The API; use it with `with`.

    Attributes:
        answer: What a line is answered with; a line of results with an `error` goes to the file of errors.
        has_api: False for a host that has no such paths.
        loses_answers_of: Paths whose answer is lost after the server has done what was asked.
    """

    answer: Answer = provider_line
    has_api: bool = True
    loses_answers_of: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    def __enter__(self) -> BatchServer:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        """Of the API."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def finish(self) -> None:
        """Answer all that was submitted and not cancelled."""
        for batch in self.batches.values():
            if batch["status"] == "in_progress":
                lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
                self._close(batch, [self.answer(line) for line in lines], "completed")

    def cancel(self, batch: dict[str, Any]) -> None:
        """End a batch when it has answered its first call."""
        first, *_ = self.files[batch["input_file_id"]].splitlines()
        self._close(batch, [self.answer(json.loads(first))], "cancelled")

    def _close(self, batch: dict[str, Any], results: list[dict[str, Any]], status: str) -> None:
        for name, wanted in (("output_file_id", False), ("error_file_id", True)):
            rows = [row for row in results if bool(row["error"]) is wanted]
            if rows:
                batch[name] = self.keep("".join(json.dumps(row) + "\n" for row in reversed(rows)).encode())
        batch["status"] = status

    def keep(self, content: bytes) -> str:
        """Store a file; its id."""
        name = f"file-{len(self.files) + 1}"
        self.files[name] = content
        return name

    def begin(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Begin a batch."""
        name = f"batch_{len(self.batches) + 1}"
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": asked["endpoint"],
            "completion_window": asked["completion_window"],
            "created_at": 1,
            "input_file_id": asked["input_file_id"],
            "status": "in_progress",
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
        }
        return self.batches[name]


def _handler_of(server: BatchServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            """Nobody reads it."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            server.keys.add(self.headers.get("authorization", ""))
            path = self.path.partition("?")[0]
            if path == "/v1/files" and server.has_api:
                file_id = server.keep(_uploaded(body))
                value: dict[str, Any] = {"id": file_id, "object": "file", "bytes": len(body), "created_at": 1}
                self._give(path, {**value, "filename": "f", "purpose": "batch", "status": "processed"})
            elif path == "/v1/batches" and server.has_api:
                self._give(path, server.begin(json.loads(body)))
            elif (found := re.fullmatch(r"/v1/batches/(\w+)/cancel", path)) and server.has_api:
                server.cancel(server.batches[found[1]])
                self._give(path, server.batches[found[1]])
            else:
                self._refuse()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/v1/batches" and server.has_api:
                self._give(path, {"object": "list", "data": list(server.batches.values()), "has_more": False})
            elif (found := re.fullmatch(r"/v1/batches/(\w+)", path)) and found[1] in server.batches:
                self._give(path, server.batches[found[1]])
            elif (found := re.fullmatch(r"/v1/files/([\w-]+)/content", path)) and found[1] in server.files:
                self._send(200, server.files[found[1]])
            else:
                self._refuse()

        def _give(self, path: str, value: dict[str, Any]) -> None:
            if path in server.loses_answers_of:
                self.close_connection = True
                return
            self._send(200, json.dumps(value).encode())

        def _refuse(self) -> None:
            self._send(404, b'{"error": {"message": "no such path"}}')

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _uploaded(body: bytes) -> bytes:
    """The file's bytes in a multipart body."""
    start = body.index(b'name="file"')
    content = body[body.index(b"\r\n\r\n", start) + 4 :]
    return content[: content.index(b"\r\n--")]
