"""What goes over the wire between the loopback judge and its client: HTTP/1.1 and the API's JSON."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from tests.judge_faults import Behaviour
from tests.judge_texts import N_SCORES

CHARS_PER_TOKEN = 4
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 404: "Not Found"}


@dataclass
class Call:
    """One request for a judgment, as the server saw it; times are `time.monotonic()` seconds."""

    index: int
    pair: tuple[str, str]
    attempt: int
    behaviour: str
    score: int
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    arrived: float
    in_flight: int
    prompt_tokens: int
    cached_tokens: int = 0
    group: tuple[str, ...] = ()
    answered: float | None = None
    bought: bool = False


@dataclass(frozen=True)
class Request:
    """One parsed HTTP request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path.partition("?")[0], headers, body)


def text_of(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def error_body(status: int, message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "loopback_error", "code": status}}).encode()


def reply_body(call: Call, how: Behaviour) -> bytes:
    if how.raw_body is not None:
        return how.raw_body if isinstance(how.raw_body, bytes) else how.raw_body.encode()
    if how.status != 200:
        key = call.headers.get("authorization", "").removeprefix("Bearer ")
        return error_body(how.status, how.message.replace("{key}", key))
    other = (call.score + 1) % N_SCORES

    def fill(text: str | None) -> str | None:
        return None if text is None else text.format(score=call.score, other=other)

    content = fill(how.content)
    parts = [{"type": "text", "text": part} for part in (content or "").splitlines(keepends=True)]
    message: dict[str, Any] = {"role": "assistant", "content": parts if how.in_parts else content}
    if how.reasoning is not None:
        message[how.reasoning_field] = fill(how.reasoning)
    reply = {
        "id": f"loopback-{call.index}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": "loopback",
        "system_fingerprint": "fp_loopback",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": how.finish_reason}],
    }
    if how.raw_usage is not None:
        reply["usage"] = how.raw_usage
    elif how.usage is not None:
        reply["usage"] = _usage(call, how)
    return json.dumps(reply).encode()


def _usage(call: Call, how: Behaviour) -> dict[str, Any]:
    completion = len((how.content or "") + (how.reasoning or "")) // CHARS_PER_TOKEN
    usage: dict[str, Any] = {
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": call.prompt_tokens + completion,
    }
    if how.usage == "deepseek":
        usage["prompt_cache_hit_tokens"] = call.cached_tokens
        usage["prompt_cache_miss_tokens"] = call.prompt_tokens - call.cached_tokens
    else:
        usage["prompt_tokens_details"] = {"cached_tokens": call.cached_tokens}
    return usage


def more_headers(how: Behaviour) -> str:
    lines = list(how.headers)
    if how.retry_after is not None:
        date = formatdate(time.time() + how.retry_after, usegmt=True)
        lines.append(f"Retry-After: {date if how.retry_after_date else f'{how.retry_after:g}'}")
    return "".join(f"{line}\r\n" for line in lines)


def _head(status: int, extra: str, content_type: str = "application/json") -> bytes:
    reason = REASONS.get(status, "Error")
    return f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\n{extra}\r\n".encode()


async def send(
    writer: asyncio.StreamWriter, status: int, body: bytes, extra: str = "", content_type: str = "application/json"
) -> bool:
    writer.write(_head(status, f"Content-Length: {len(body)}\r\n{extra}", content_type) + body)
    await writer.drain()
    return True


async def send_cut(writer: asyncio.StreamWriter, body: bytes, how: Behaviour) -> None:
    head = _head(how.status, f"Content-Length: {len(body)}\r\n")
    if how.cut == "inside_headers":
        writer.write(head[: len(head) // 2])
    elif how.cut == "inside_body":
        writer.write(head + body[: len(body) // 2])
    await writer.drain()


async def send_without_end(writer: asyncio.StreamWriter, how: Behaviour) -> None:
    """Bytes until the client leaves, which ends in a ConnectionError here."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    encoding = "Content-Encoding: gzip\r\n" if how.endless == "gzip" else ""
    writer.write(_head(how.status, f"Transfer-Encoding: chunked\r\n{encoding}"))
    blank = b" " * 2**16
    while True:
        part = packer.compress(blank * 16) if how.endless == "gzip" else blank
        if part:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()


async def send_blank_lines(writer: asyncio.StreamWriter, how: Behaviour) -> None:
    """As DeepSeek does while a request waits: the headers at once, then blank lines."""
    writer.write(_head(how.status, "Transfer-Encoding: chunked\r\n"))
    until = time.monotonic() + how.blank_lines_for
    while time.monotonic() < until:
        writer.write(b"1\r\n\n\r\n")
        await writer.drain()
        await asyncio.sleep(how.blank_line_every)
