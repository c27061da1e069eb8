"""Hostile replies: every one goes to one pair of a run, and what comes of that pair is compared with what should.

All of them share one run, as they would in an evening with a bad host: none may cost another pair its score, end the
run or hang it. Those that rightly end a run are sent alone.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.attack.running import Done, Row, command, score_argv
from tests.diversity_judge.score_runs import KEY
from tests.judge_faults import BEHAVIOURS, GOOD, Behaviour, Faults, Rule, always
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample, score_of
from tests.judge_wire import Call, reply_body

SCORED, AGAIN = "scored", "asked again"
Pieces = Iterable[bytes | float]
"""Bytes to send, and seconds to wait."""
DEADLINE_S = 3.0
BOMB_MB = 200
MOST_MB = 400
"""Memory of the whole run: its own 200 MB or so, and no reply of a host that it had no use for."""
ENDLESS = 4096
"""Pieces of what never ends: enough for any deadline, and still an end."""


@dataclass(frozen=True)
class Hostile:
    """One reply.

    Attributes:
        name: The case.
        expected: `scored` (at the first call), `asked again` (scored at the second), or `missing: REASON`.
        pieces: What is sent; the connection is closed after it. None where `behaviour` says it.
        behaviour: One of those that the loopback judge knows.
    """

    name: str
    expected: str
    pieces: Callable[[Call], Pieces] | None = None
    behaviour: Behaviour = GOOD

    @property
    def is_final(self) -> bool:
        """Whether the host does it at every call."""
        return self.expected.startswith("missing")


# --- what is sent ---------------------------------------------------------------------------------


def good(call: Call) -> dict[str, Any]:
    """A good completion, to be spoiled."""
    completion: dict[str, Any] = json.loads(reply_body(call, GOOD))
    return completion


def http(
    body: bytes, *headers: str, status: str = "200 OK", kind: str | None = "application/json", length: int | None = -1
) -> bytes:
    """A response; `length` -1 is the right one, None sends none."""
    lines = [f"HTTP/1.1 {status}", *headers, "Connection: close"]
    lines += [f"Content-Type: {kind}"] if kind is not None else []
    lines += [] if length is None else [f"Content-Length: {len(body) if length == -1 else length}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def spoiled(change: Callable[[dict[str, Any]], object]) -> Callable[[Call], Pieces]:
    """The good completion after a change."""

    def pieces(call: Call) -> Pieces:
        completion = good(call)
        change(completion)
        return [http(json.dumps(completion).encode())]

    return pieces


def counts(**usage: Any) -> Callable[[Call], Pieces]:
    """The good completion with other token counts."""
    return spoiled(lambda completion: completion["usage"].update(usage))


def message(**fields: Any) -> Callable[[Call], Pieces]:
    """The good completion with other fields in its message."""
    return spoiled(lambda completion: completion["choices"][0]["message"].update(fields))


def choice(**fields: Any) -> Callable[[Call], Pieces]:
    """The good completion with other fields in its choice."""
    return spoiled(lambda completion: completion["choices"][0].update(fields))


def top(**fields: Any) -> Callable[[Call], Pieces]:
    """The good completion with other fields at its top."""
    return spoiled(lambda completion: completion.update(fields))


def text(call: Call) -> str:
    """The good answer."""
    return str(good(call)["choices"][0]["message"]["content"])


def answer(form: Callable[[str], Any]) -> Callable[[Call], Pieces]:
    """The good answer in another form."""
    return lambda call: message(content=form(text(call)))(call)


def raw(body: bytes, *headers: str, **how: Any) -> Callable[[Call], Pieces]:
    """A body as it is."""
    return lambda call: [http(body, *headers, **how)]


def around(form: Callable[[bytes], bytes], *headers: str, **how: Any) -> Callable[[Call], Pieces]:
    """The good body in another form, or under other headers."""
    return lambda call: [http(form(json.dumps(good(call)).encode()), *headers, **how)]


def same(body: bytes) -> bytes:
    """The body as it is."""
    return body


def wire(*pieces: bytes | float) -> Callable[[Call], Pieces]:
    """Bytes that need not be HTTP."""
    return lambda call: pieces


def before(head: bytes) -> Callable[[Call], Pieces]:
    """Something before the good response."""
    return lambda call: [head + http(json.dumps(good(call)).encode())]


def chunked(form: Callable[[bytes], bytes]) -> Callable[[Call], Pieces]:
    """The good body in chunks, of which something is wrong."""
    head = http(b"", "Transfer-Encoding: chunked", length=None)
    return lambda call: [head + form(json.dumps(good(call)).encode())]


def chunk(body: bytes) -> bytes:
    """One chunk."""
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


def drip(call: Call) -> Iterator[bytes | float]:
    """A byte at a time, slower than any deadline."""
    yield http(b"", length=100_000)
    for _ in range(ENDLESS):
        yield b" "
        yield 0.02


def endless(call: Call) -> Iterator[bytes | float]:
    """A body that never ends, as fast as it is taken."""
    yield http(b"", "Transfer-Encoding: chunked", length=None)
    for _ in range(ENDLESS):
        yield chunk(b" " * 65536)
        yield 0.002


def bomb(call: Call) -> Pieces:
    """A body that grows a thousandfold when it is unpacked."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    body = b"".join(packer.compress(b" " * 2**20) for _ in range(BOMB_MB)) + packer.flush()
    return [http(body, "Content-Encoding: gzip")]


def nested(depth: int) -> bytes:
    """JSON that is nested more deeply than a parser goes."""
    return b"[" * depth + b"]" * depth


def two_parts(content: str) -> list[dict[str, str]]:
    """An answer as some hosts send it."""
    return [{"type": "text", "text": content[:9]}, {"type": "text", "text": content[9:]}]


def with_5000_digits(body: bytes) -> bytes:
    """A number that Python refuses to read."""
    return body.replace(b'"prompt_tokens": ', b'"prompt_tokens": ' + b"9" * 5000)


def with_nested_field(call: Call) -> Pieces:
    """The good completion, and one deep field that nobody asked for."""
    return [http(json.dumps(good(call)).encode()[:-1] + b', "extra": ' + nested(100_000) + b"}")]


HOSTILE: tuple[Hostile, ...] = (
    # Token counts: what was paid for is kept, whatever the host counts.
    Hostile("prompt_tokens 10^20", SCORED, counts(prompt_tokens=10**20)),
    Hostile("completion_tokens 2^63", SCORED, counts(completion_tokens=2**63)),
    Hostile("prompt_tokens 10^400", SCORED, counts(prompt_tokens=10**400)),
    Hostile("prompt_tokens of 5,000 digits", SCORED, around(with_5000_digits)),
    Hostile("prompt_tokens -5", SCORED, counts(prompt_tokens=-5)),
    Hostile("prompt_tokens 12.5", SCORED, counts(prompt_tokens=12.5)),
    Hostile("prompt_tokens NaN", SCORED, counts(prompt_tokens=float("nan"))),
    Hostile("prompt_tokens Infinity", SCORED, counts(prompt_tokens=float("inf"))),
    Hostile("prompt_tokens a string", SCORED, counts(prompt_tokens="12")),
    Hostile("completion_tokens true", SCORED, counts(completion_tokens=True)),
    Hostile("cached_tokens above prompt_tokens", SCORED, counts(prompt_tokens_details={"cached_tokens": 10**9})),
    Hostile("prompt_tokens_details a list", SCORED, counts(prompt_tokens_details=[1, 2])),
    Hostile("prompt_tokens_details a string", SCORED, counts(prompt_tokens_details="none")),
    Hostile("usage a string", SCORED, top(usage="plenty")),
    Hostile("usage a list", SCORED, top(usage=[1, 2, 3])),
    Hostile("usage null", SCORED, top(usage=None)),
    Hostile("usage a number", SCORED, top(usage=7)),
    # Content and message.
    Hostile("content in parts", SCORED, answer(lambda t: [{"type": "text", "text": t}])),
    Hostile("content in two parts", SCORED, answer(two_parts)),
    Hostile("content parts, one unknown", SCORED, answer(lambda t: [{"type": "image"}, {"type": "text", "text": t}])),
    Hostile("content a number", AGAIN, message(content=4)),
    Hostile("content an object", AGAIN, message(content={"score": 4})),
    Hostile("content an empty list", AGAIN, message(content=[])),
    Hostile("a refusal", AGAIN, message(content=None, refusal="I can't help with that.")),
    Hostile("tool calls instead of an answer", AGAIN, message(content=None, tool_calls=[{"id": "x", "function": {}}])),
    Hostile("reasoning a list", SCORED, message(reasoning_content=["so", "what"])),
    Hostile("answer of 1 MB", SCORED, answer(lambda t: "x " * 500_000 + t)),
    Hostile("answer with 200,000 brackets", SCORED, answer(lambda t: "[" * 200_000 + t)),
    Hostile("answer behind a BOM", SCORED, answer(lambda t: "\ufeff" + t)),
    Hostile("answer with NUL and direction marks", SCORED, answer(lambda t: "\0\u202e\u2066" + t)),
    Hostile("answer behind a thousand closed thoughts", SCORED, answer(lambda t: "<think>a</think>" * 1000 + t)),
    Hostile("score in a thought that stays open", AGAIN, message(content="<think>a</think><think>[Final Score: 2]")),
    Hostile("score in Arabic digits", AGAIN, message(content="[Final Score: \u0663]")),
    Hostile("score as a word of HTML", AGAIN, message(content="&#91;Final Score: 3&#93;")),
    Hostile("message null", AGAIN, choice(message=None)),
    Hostile("message a list", AGAIN, choice(message=["hello"])),
    # The choice and the completion.
    Hostile("finish_reason max_tokens", "missing: truncated", choice(finish_reason="max_tokens")),
    Hostile("finish_reason MAX_TOKENS", "missing: truncated", choice(finish_reason="MAX_TOKENS")),
    Hostile("finish_reason a number", SCORED, choice(finish_reason=7)),
    Hostile("finish_reason a list", SCORED, choice(finish_reason=["stop"])),
    Hostile("choices null", AGAIN, top(choices=None)),
    Hostile("choices an object", AGAIN, top(choices={})),
    Hostile("choices a string", AGAIN, top(choices="4")),
    Hostile("choices [null]", AGAIN, top(choices=[None])),
    Hostile("id null, model a number", SCORED, top(id=None, model=7)),
    Hostile("another model than was asked", SCORED, top(model="cheaper")),
    Hostile("system_fingerprint an object", SCORED, top(system_fingerprint={"a": 1})),
    Hostile("an error object under 200", AGAIN, raw(b'{"error": {"message": "overloaded", "code": 529}}')),
    # The body.
    Hostile("empty 200", AGAIN, raw(b"")),
    Hostile("body null", AGAIN, raw(b"null")),
    Hostile("body a number", AGAIN, raw(b"4")),
    Hostile("body a string", AGAIN, raw(b'"[Final Score: 4]"')),
    Hostile("200,000 opening brackets", AGAIN, raw(b"[" * 200_000)),
    Hostile("JSON nested 100,000 deep", AGAIN, raw(nested(100_000))),
    Hostile("a field nested 100,000 deep", AGAIN, with_nested_field),
    Hostile("HTML page under 200", AGAIN, raw(b"<html>Sign in</html>", kind="text/html")),
    Hostile("two JSON objects", AGAIN, around(lambda b: b + b"\n" + b)),
    Hostile("half of the JSON, length right", AGAIN, around(lambda b: b[: len(b) // 2])),
    Hostile("server-sent events", AGAIN, around(lambda b: b"data: " + b + b"\n\n", kind="text/event-stream")),
    Hostile("bytes that are no UTF-8", AGAIN, raw(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}')),
    Hostile("charset=hex", SCORED, around(same, kind="application/json; charset=hex")),
    Hostile("charset=undefined", SCORED, around(same, kind="application/json; charset=undefined")),
    Hostile("charset unknown", SCORED, around(same, kind="application/json; charset=klingon")),
    Hostile("charset=idna", SCORED, around(same, kind="application/json; charset=idna")),
    Hostile("no content type", SCORED, around(same, kind=None)),
    Hostile("good JSON as text/plain", SCORED, around(same, kind="text/plain")),
    # HTTP.
    Hostile("content-length too long", AGAIN, around(same, length=10**6)),
    Hostile("content-length too short", AGAIN, around(same, length=20)),
    Hostile("content-length negative", AGAIN, around(same, length=-7)),
    Hostile("content-length no number", AGAIN, around(same, "Content-Length: many", length=None)),
    Hostile("two content-lengths that differ", AGAIN, around(same, "Content-Length: 5")),
    Hostile("the same header 50 times", SCORED, around(same, *["X-Again: and again"] * 50)),
    Hostile("a header of 200 KB", AGAIN, around(same, "X-Long: " + "x" * 200_000)),
    Hostile("header without a colon", AGAIN, around(same, "X-Nothing")),
    Hostile("103 before the response", SCORED, before(b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n")),
    Hostile("100 fifty times before it", SCORED, before(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)),
    Hostile("no length, closed at the end", SCORED, around(same, length=None)),
    Hostile("not HTTP", AGAIN, wire(b"SSH-2.0-OpenSSH_9.2\r\n")),
    Hostile("status line alone", AGAIN, wire(b"HTTP/1.1 200 OK\r\n")),
    Hostile("status no number", AGAIN, wire(b"HTTP/1.1 fine OK\r\nContent-Length: 0\r\n\r\n")),
    Hostile("closed without a byte", AGAIN, wire()),
    Hostile("204 No Content", AGAIN, raw(b"", status="204 No Content", length=None)),
    Hostile("chunks that end too early", AGAIN, chunked(lambda b: chunk(b[:50]))),
    Hostile("chunk of a size that is none", AGAIN, chunked(lambda b: b"zz\r\n" + b)),
    Hostile("one byte a chunk", SCORED, chunked(lambda b: b"".join(chunk(bytes([x])) for x in b) + b"0\r\n\r\n")),
    Hostile("gzip", SCORED, around(lambda b: gzip.compress(b, mtime=0), "Content-Encoding: gzip")),
    Hostile("gzip that is none", AGAIN, around(same, "Content-Encoding: gzip")),
    Hostile("gzip cut in the middle", AGAIN, around(lambda b: gzip.compress(b)[:-40], "Content-Encoding: gzip")),
    Hostile("gzip bomb", AGAIN, bomb),
    Hostile("a body without an end", AGAIN, endless),
    Hostile("a byte every 20 ms", AGAIN, drip),
    Hostile("blank lines before the body, then silence", AGAIN, wire(http(b"\n\n", length=1000), 60.0)),
    # Statuses.
    Hostile("413", "missing: http_413", behaviour=Behaviour("413", status=413)),
    Hostile("418", "missing: http_418", behaviour=Behaviour("418", status=418)),
    Hostile("451", "missing: http_451", behaviour=Behaviour("451", status=451)),
    Hostile("425", AGAIN, behaviour=Behaviour("425", status=425)),
    Hostile("504", AGAIN, behaviour=Behaviour("504", status=504)),
    Hostile("529", AGAIN, behaviour=Behaviour("529", status=529)),
    Hostile("599 without a body", AGAIN, raw(b"", status="599 What")),
    Hostile("500 that repeats the key", AGAIN, behaviour=Behaviour("500k", status=500, message="by {key} {key}")),
    Hostile("429, Retry-After nan", AGAIN, raw(b"{}", "Retry-After: nan", status="429 Slow down")),
    Hostile("429, Retry-After -5", AGAIN, raw(b"{}", "Retry-After: -5", status="429 Slow down")),
    Hostile("429, Retry-After soon", AGAIN, raw(b"{}", "Retry-After: soon", status="429 Slow down")),
    Hostile("429, Retry-After in 1970", AGAIN, raw(b"{}", "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT", status="429")),
    # Those that the loopback judge knows by name.
    *(
        Hostile(name, SCORED, behaviour=BEHAVIOURS[name])
        for name in (
            "think-tags", "think-close-only", "reasoning-differs", "reasoning-differs-openrouter", "two-scores",
            "unknown-finish-reason", "null-finish-reason", "missing-usage", "deepseek-usage", "terminal-escapes",
            "lone-surrogate", "blank-lines", "slow-first-byte",
        )
    ),
    *(
        Hostile(name, AGAIN, behaviour=BEHAVIOURS[name])
        for name in (
            "408", "409", "429", "500", "502-html", "503", "drop-before-headers", "drop-inside-headers",
            "drop-inside-body", "empty-content", "blank-content", "null-content", "no-choices", "malformed-json",
            "reasoning-only", "reasoning-only-openrouter", "think-unclosed", "insufficient-system-resource",
            "unparsable", "out-of-range", "hang",
        )
    ),
    *(
        Hostile(name, f"missing: {reason}", behaviour=BEHAVIOURS[name])
        for name, reason in {
            "truncated": "truncated", "truncated-after-score": "truncated", "truncated-empty": "truncated",
            "content-filter": "content_filter", "400": "http_400", "400-shows-key": "http_400", "422": "http_422",
        }.items()
    ),
)  # fmt: skip
"""Each with what should come of its pair."""

ENDS_THE_RUN = {"401": "refuses the key", "402": "balance", "404": "loopback"}
"""Behaviours after which going on is no use, and a word of what is then said."""


class HostileJudge(JudgeServer):
    """The loopback judge, which gives some pairs a reply of their own at their first call, or at every call."""

    def __init__(self, hostile: dict[tuple[str, str], Hostile]) -> None:
        rules = [
            Rule(case.behaviour, pair=pair, attempts=None if case.is_final else 1)
            for pair, case in hostile.items()
            if case.pieces is None
        ]
        super().__init__(faults=Faults(rules))
        self.hostile = hostile

    async def _judge(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        case = self.hostile.get(call.pair)
        if case is None or case.pieces is None or (call.attempt and not case.is_final):
            return await super()._judge(call, reader, writer)
        for piece in case.pieces(call):
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            else:
                writer.write(piece)
                await writer.drain()
        return False


# --- what came of it ------------------------------------------------------------------------------


def check_replies(folder: Path, cases: tuple[Hostile, ...] = HOSTILE) -> list[Row]:
    """Send all of them in one run; where that does not end in order, each alone, to see which it was."""
    folder.mkdir()
    together = _run(folder / "together", cases)
    if together is not None:
        return together
    rows = [Row("replies", "all in one run", "ends in order", "does not")]
    with ThreadPoolExecutor(3) as threads:
        places = [folder / f"alone{number}" for number in range(len(cases))]
        alone = threads.map(lambda place, case: _run(place, (case,)), places, cases)
        for case, found in zip(cases, alone, strict=True):
            rows += found or [Row("replies", case.name, case.expected, "ends the run, or hangs")]
    return rows


def _run(folder: Path, cases: tuple[Hostile, ...]) -> list[Row] | None:
    n = next(n for n in range(4, 100) if n * (n - 1) // 2 > len(cases))
    sample = Sample(problems=("p",), strategies=("s",), n=n, words=5)
    folder.mkdir()
    responses = sample.write(folder / "responses.jsonl")
    hostile = dict(zip(sample.pairs(), cases, strict=False))
    options = ["--deadline", str(DEADLINE_S), "--concurrency", "8", "--no-heatmaps"]
    with HostileJudge(hostile) as server:
        done = command(score_argv(responses, server.base_url, folder / "run", *options), limit_s=60)
        asked = dict(server.record.asked)
    if done.told not in ("exit 0", "exit 3"):
        return None
    table = pd.read_csv(folder / "run" / "pairs.csv", keep_default_na=True)
    found = {
        (f"p.s.{first}", f"p.s.{second}"): (score, missing)
        for first, second, score, missing in zip(
            table.first_position, table.second_position, table.score, table.missing, strict=True
        )
    }
    rows = [
        Row("replies", case.name, case.expected, _outcome(pair, *found[pair], asked[pair]))
        for pair, case in hostile.items()
    ]
    others = [pair for pair in sample.pairs() if pair not in hostile]
    spared = sum(_outcome(pair, *found[pair], asked[pair]) == SCORED for pair in others)
    rows.append(Row("replies", "the other pairs of the run", f"{len(others)} scored", f"{spared} scored"))
    if len(cases) > 1:
        rows += [_memory(done), _key(folder / "run", done)]
    return rows


def _outcome(pair: tuple[str, str], score: Any, missing: Any, calls: int) -> str:
    if pd.isna(score):
        return f"missing: {missing}"
    if score != score_of(*pair):
        return f"a wrong score, {score}"
    return {1: SCORED, 2: AGAIN}.get(calls, f"scored after {calls} calls")


def _memory(done: Done) -> Row:
    seen = "below" if done.peak_mb < MOST_MB else f"{done.peak_mb:.0f} MB"
    return Row("replies", f"memory of all that, {MOST_MB} MB", "below", seen)


def _key(run: Path, done: Done) -> Row:
    files = [path.name for path in run.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    places = [*files, *(["the console"] if KEY in done.output else [])]
    return Row("replies", "the key that hosts repeat", "nowhere", ", ".join(places) or "nowhere")


def check_ends(folder: Path) -> list[Row]:
    """What rightly ends a run, and what would lead it elsewhere."""
    folder.mkdir()
    responses = Sample(problems=("p",), strategies=("s",), n=4).write(folder / "responses.jsonl")
    rows = []
    for name, word in ENDS_THE_RUN.items():
        with JudgeServer(faults=always(name)) as server:
            done = command(score_argv(responses, server.base_url, folder / name, "--no-heatmaps"))
        said = "said so" if word in done.output and KEY not in done.output else done.output.strip()[-80:]
        rows.append(Row("replies", f"{name} at every call", "exit 1, said so", f"{done.told}, {said}"))
    rows += [_redirected(folder / status, responses, status) for status in ("301", "302", "303", "307", "308")]
    rows.append(_loop(folder / "loop", responses))
    return rows


class _Redirecting(JudgeServer):
    def __init__(self, status: str, to: str) -> None:
        super().__init__()
        self.response = http(b"", f"Location: {to}/chat/completions", status=f"{status} Moved")

    async def _judge(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(self.response)
        await writer.drain()
        return False


def _redirected(folder: Path, responses: Path, status: str) -> Row:
    with JudgeServer() as elsewhere, _Redirecting(status, elsewhere.base_url) as server:
        done = command(score_argv(responses, server.base_url, folder, "--no-heatmaps", "--max-attempts", "2"))
        sent = len(elsewhere.calls) + elsewhere.record.connections
    seen = "nothing is sent there" if done.told in ("exit 1", "exit 3") else done.told
    return Row(
        "replies", f"{status} to another origin", "nothing is sent there", f"{sent} calls there" if sent else seen
    )


def _loop(folder: Path, responses: Path) -> Row:
    server = _Redirecting("307", "")
    with server:
        server.response = http(b"", f"Location: {server.base_url}/chat/completions", status="307 Moved")
        done = command(score_argv(responses, server.base_url, folder, "--no-heatmaps", "--max-attempts", "2"))
    return Row("replies", "307 in a circle", "ends in order", _in_order(done))


def _in_order(done: Done) -> str:
    return "ends in order" if done.told in ("exit 1", "exit 3") else done.told
