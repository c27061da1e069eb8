"""A judge that lives on loopback: the chat completions API over real HTTP, with exact answers and faults.

    client -> HTTP/1.1, keep-alive -> find the two texts -> Faults.choose -> reply, and a Call on record

Mocked clients hide what breaks judges in practice (connection pools, keep-alive lines, half bodies), so the
tests talk to a socket. The server answers each pair with a score that the tests know, records what it was
asked and how often, and misbehaves where a rule says so.

In a test: `with JudgeServer(faults=...) as server: ... server.base_url`. As a process of its own, which
prints its port and ends when its standard input closes: `python -m tests.judge_server --latency 1.0`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.judge_faults import Faults, parse_rule
from tests.judge_texts import KnownTexts, question_in, score_of, summary_of
from tests.judge_wire import (
    CHARS_PER_TOKEN,
    Call,
    Request,
    error_body,
    more_headers,
    read_request,
    reply_body,
    send,
    send_blank_lines,
    send_cut,
    send_without_end,
    text_of,
)


@dataclass
class Record:
    """Everything that the server was asked, in order of arrival."""

    calls: list[Call] = field(default_factory=list)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    in_flight: int = 0
    max_in_flight: int = 0
    max_connections: int = 0
    connections: int = 0

    @property
    def bought(self) -> Counter[tuple[str, str]]:
        """How many valid scores each ordered pair was sold; more than one is money thrown away."""
        return Counter(call.pair for call in self.calls if call.bought)

    def summary(self) -> dict[str, Any]:
        """What another process may want to know, as JSON."""
        bought = self.bought
        return {
            "calls": len(self.calls),
            "bought": sum(bought.values()),
            "bought_twice": sum(1 for count in bought.values() if count > 1),
            "max_in_flight": self.max_in_flight,
            "max_connections": self.max_connections,
            "prompt_tokens": sum(call.prompt_tokens for call in self.calls),
            "cached_tokens": sum(call.cached_tokens for call in self.calls),
            "arrived": [call.arrived for call in self.calls],
        }


class JudgeServer:
    """The loopback judge, in a thread of its own; use it as a context manager.

    Args:
        faults: Which calls are treated how.
        latency: Seconds between a request and its reply.
        scores: Scores of ordered pairs of keys that differ from `score_of`.
        sort: What is replied to a question about a whole group (see `judge_texts.question_in`): from its name, the
            keys of the responses as they are shown, and how often it was asked before.
        summarise: What is replied where the core steps of a response are asked for: from its key, and how often that
            was asked before.
        texts: Texts by key, for responses that carry no key of their own.
        api_key: Refuse other keys with 401; None takes any.
        keep_bodies: Keep request bodies on record (off for very long runs).
        port: 0 takes any free port.
    """

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        latency: float = 0.0,
        scores: Mapping[tuple[str, str], int] | None = None,
        sort: Callable[[str, tuple[str, ...], int], str] | None = None,
        summarise: Callable[[str, int], str] = summary_of,
        texts: Mapping[str, str] | None = None,
        api_key: str | None = None,
        keep_bodies: bool = True,
        port: int = 0,
    ) -> None:
        self.faults = faults or Faults()
        self.latency = latency
        self.scores = dict(scores or {})
        self.sort = sort
        self.summarise = summarise
        self.texts = KnownTexts(dict(texts or {}))
        self.api_key = api_key
        self.keep_bodies = keep_bodies
        self.record = Record()
        self.port = port
        self._changed = threading.Condition()
        self._prefixes_done: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def calls(self) -> list[Call]:
        """All calls so far, in order of arrival."""
        return self.record.calls

    def forget(self) -> None:
        """Start a new record; the prefix cache stays."""
        self.record = Record(in_flight=self.record.in_flight, connections=self.record.connections)

    def wait_until(self, met: Callable[[Record], bool], timeout_s: float = 60.0) -> None:
        """Block until the record meets a condition, which is looked at after every call and answer.

        Raises:
            TimeoutError: It never did.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: met(self.record), timeout_s):
                raise TimeoutError(f"not met within {timeout_s} s; the record: {len(self.calls)} calls")

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def __enter__(self) -> JudgeServer:
        """Listen in a thread; returns once the port is open."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready.set)), name="judge", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the loopback judge did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop all connections and end the thread."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(10)

    async def serve(self, when_ready: Callable[[], None]) -> None:
        """Serve until `stop`; `when_ready` is called once the port is known."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await self._converse(reader, writer)
            finally:
                connections.discard(task)

        server = await asyncio.start_server(connected, "127.0.0.1", self.port, backlog=4096, limit=2**24)
        self.port = server.sockets[0].getsockname()[1]
        when_ready()
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record = self.record
        record.connections += 1
        record.max_connections = max(record.max_connections, record.connections)
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left; what it was sold is on record
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            record.connections -= 1
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Reply to one request; False when the connection is to end."""
        if request.path.endswith("/stats"):
            return await send(writer, 200, json.dumps(self.record.summary()).encode())
        if request.path.endswith("/count"):
            return await send(writer, 200, str(len(self.calls)).encode())
        if request.path.endswith("/models"):
            models = {"object": "list", "data": [{"id": "loopback", "object": "model"}]}
            return await send(writer, 200, json.dumps(models).encode())
        if request.method != "POST" or not request.path.endswith("/chat/completions"):
            return await send(writer, 404, error_body(404, f"no such path: {request.path}"))
        if self.api_key is not None and request.headers.get("authorization") != f"Bearer {self.api_key}":
            return await send(writer, 401, error_body(401, "Incorrect API key provided"))
        call = self._register(request)
        record = self.record
        record.in_flight += 1
        record.max_in_flight = max(record.max_in_flight, record.in_flight)
        try:
            return await self._judge(call, reader, writer)
        finally:
            record.in_flight -= 1
            self._notify()

    def _register(self, request: Request) -> Call:
        body = json.loads(request.body)
        prompt = "\n".join(text_of(message) for message in body["messages"])
        question = question_in(prompt)
        pair = self.texts.pair_in(prompt) or ("unknown", f"{zlib.crc32(prompt.encode()):08x}")
        if question is not None:
            pair = question[0], "|".join(question[1])
        prefix, record = pair[0], self.record
        tokens = len(prompt) // CHARS_PER_TOKEN
        call = Call(
            index=len(record.calls),
            pair=pair,
            attempt=record.asked[pair],
            behaviour="",
            score=self.scores.get(pair, score_of(*pair)),
            headers=request.headers,
            body=body if self.keep_bodies else None,
            arrived=time.monotonic(),
            in_flight=record.in_flight + 1,
            group=question[1] if question is not None else (),
            prompt_tokens=tokens,
            cached_tokens=prompt.rfind(f"R#{pair[1]}#") // CHARS_PER_TOKEN
            if prefix in self._prefixes_done and f"R#{pair[1]}#" in prompt
            else 0,
        )
        record.asked[pair] += 1
        record.calls.append(call)
        self._notify()
        return call

    async def _judge(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        how = self.faults.choose(call=call.index, pair=call.pair, attempt=call.attempt)
        call.behaviour = how.name
        if how.hang:
            await reader.read(1)  # only the client's leaving ends this
            return False
        if call.pair[0] == "summary" and how is self.faults.otherwise:
            how = replace(how, content=self.summarise(call.pair[1], call.attempt))
        elif call.group and self.sort is not None and how is self.faults.otherwise:
            how = replace(how, content=self.sort(call.pair[0], call.group, call.attempt))
        delay = self.latency + how.first_byte_after
        if delay > 0:
            await asyncio.sleep(delay)
        body = reply_body(call, how)
        if how.endless is not None:
            await send_without_end(writer, how)
        if how.cut is not None:
            await send_cut(writer, body, how)
            return False
        if how.blank_lines_for > 0:
            await send_blank_lines(writer, how)
        # On record before the bytes leave: whoever has read the reply must find it there.
        call.answered = time.monotonic()
        call.bought = how.is_bought
        self._prefixes_done.add(call.pair[0])
        self._notify()
        if how.blank_lines_for > 0:
            writer.write(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
            await writer.drain()
        else:
            await send(writer, how.status, body, more_headers(how), how.content_type)
        return True


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.judge_server", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0 (default) takes a free port and prints it")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=parse_rule,
        metavar="RULE",
        help="NAME[:calls=A-B][:pair=X,Y][:attempts=N][:p=F][:seed=N], repeatable; the first that fits wins",
    )
    parser.add_argument("--texts", type=Path, help="responses.jsonl whose texts carry no key of their own")
    parser.add_argument("--forget-bodies", action="store_true", help="keep no request bodies (long runs)")
    return parser.parse_args(argv)


def _texts_of(path: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {f"line{number}": line["response"] for number, line in enumerate(lines, start=1)}


def main(argv: list[str] | None = None) -> None:
    """Serve until standard input closes (the parent ended) or Ctrl-C."""
    arguments = _arguments(argv)
    server = JudgeServer(
        faults=Faults(arguments.fault),
        latency=arguments.latency,
        texts=_texts_of(arguments.texts) if arguments.texts else None,
        keep_bodies=not arguments.forget_bodies,
        port=arguments.port,
    )
    with server, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
