"""What the loopback judge can do wrong, and when: one value a misbehaviour, one rule a moment.

A judge client is only as good as the failures that it was shown. Each `Behaviour` is one reply that a
real provider has been seen to send (or not to send); a `Rule` says which calls get it. Everything is
data, so that a test states its faults in one line and the command line can ask for the same ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

ANSWER = "Step 1 differs, step 2 does not.\n\n[Final Score: {score}]"
"""The good answer; `{score}` is the pair's score, `{other}` a different valid one."""

Cut = Literal["before_headers", "inside_headers", "inside_body"]


@dataclass(frozen=True)
class Behaviour:
    """How the server treats one call; the defaults are a good reply.

    Attributes:
        name: What records and the command line call it.
        status: HTTP status; anything but 200 is sent with an error body in the form of the API.
        message: The error body's message; `{key}` becomes the key that the client sent, as some hosts
            show it.
        retry_after: Seconds for a `Retry-After` header, None for no header.
        retry_after_date: Send `Retry-After` as an HTTP-date instead of seconds.
        content: The answer (may hold `{score}` and `{other}`); None is JSON null.
        reasoning: The reasoning, in `reasoning_field`; None leaves the field out.
        reasoning_field: The field's name differs between providers.
        finish_reason: As sent; None is JSON null.
        usage: Which provider's form of token counts, None for no `usage` at all.
        first_byte_after: Seconds added to the server's latency before the first byte.
        blank_lines_for: Seconds of keep-alive blank lines between the headers and the body.
        blank_line_every: Seconds between two of those lines.
        cut: Where the connection is dropped.
        hang: Never send a byte; ends when the client leaves.
        raw_body: Sent as the body as it is.
        content_type: The header of the reply.
        headers: More header lines of the reply, each `Name: value`.
        raw_usage: Sent as `usage` as it is, whatever it is.
        in_parts: Send the content as a list of parts.
        endless: Send bytes until the client leaves, packed by gzip or not.
    """

    name: str = "good"
    status: int = 200
    message: str = "the loopback judge was told to fail"
    retry_after: float | None = None
    retry_after_date: bool = False
    content: str | None = ANSWER
    reasoning: str | None = None
    reasoning_field: str = "reasoning_content"
    finish_reason: str | None = "stop"
    usage: Literal["openai", "deepseek"] | None = "openai"
    first_byte_after: float = 0.0
    blank_lines_for: float = 0.0
    blank_line_every: float = 0.02
    cut: Cut | None = None
    hang: bool = False
    raw_body: str | bytes | None = None
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()
    raw_usage: object = None
    in_parts: bool = False
    endless: Literal["plain", "gzip"] | None = None

    @property
    def is_bought(self) -> bool:
        """Whether a client that got this reply holds a valid score and should never ask again."""
        scored = self.content is not None and "[Final Score: {score}]" in self.content
        whole = self.cut is None and not self.hang and self.raw_body is None and self.endless is None
        return self.status == 200 and scored and whole and self.finish_reason in ("stop", None, "eos")


GOOD = Behaviour()

_BALANCE = "Insufficient Balance"
_KEY = "Incorrect API key provided: {key}"


def _named(behaviours: Iterable[Behaviour]) -> Mapping[str, Behaviour]:
    return MappingProxyType({behaviour.name: behaviour for behaviour in behaviours})


BEHAVIOURS: Mapping[str, Behaviour] = _named(
    [
        GOOD,
        Behaviour("400", status=400, message="This model's maximum context length is 10 tokens"),
        Behaviour("400-shows-key", status=400, message="Bad request by {key}"),
        Behaviour("401", status=401, message=_KEY),
        Behaviour("402", status=402, message=_BALANCE),
        Behaviour("404", status=404, message="The model `loopback` does not exist"),
        Behaviour("408", status=408, message="Request timed out"),
        Behaviour("409", status=409, message="Conflict"),
        Behaviour("422", status=422, message="Invalid parameters"),
        Behaviour("429", status=429, message="Rate limit reached"),
        Behaviour("429-retry-after", status=429, message="Rate limit reached", retry_after=1),
        Behaviour("429-retry-after-date", status=429, message="Rate limit", retry_after=1, retry_after_date=True),
        Behaviour("500", status=500, message="Internal server error"),
        Behaviour("502-html", status=502, raw_body="<html><body>Bad Gateway</body></html>"),
        Behaviour("503", status=503, message="The engine is currently overloaded"),
        Behaviour("503-retry-after", status=503, message="Server overloaded", retry_after=1),
        Behaviour("drop-before-headers", cut="before_headers"),
        Behaviour("drop-inside-headers", cut="inside_headers"),
        Behaviour("drop-inside-body", cut="inside_body"),
        Behaviour("blank-lines", blank_lines_for=1.0),
        Behaviour("slow-first-byte", first_byte_after=1.0),
        Behaviour("hang", hang=True),
        Behaviour("empty-content", content=""),
        Behaviour("blank-content", content=" \n\n "),
        Behaviour("null-content", content=None),
        Behaviour("no-choices", raw_body='{"id": "x", "object": "chat.completion", "choices": []}'),
        Behaviour("malformed-json", raw_body='{"id": "x", "choices": [{"message": '),
        Behaviour("reasoning-only", content=None, reasoning="So the score is 2. [Final Score: 2]"),
        Behaviour("reasoning-only-openrouter", content="", reasoning="[Final Score: 2]", reasoning_field="reasoning"),
        Behaviour("think-tags", content="<think>Perhaps [Final Score: {other}]?</think>\n" + ANSWER),
        Behaviour("think-close-only", content="Perhaps [Final Score: {other}]?\n</think>\n\n" + ANSWER),
        Behaviour("think-unclosed", content="<think>Perhaps [Final Score: {other}]? Let me see"),
        Behaviour("reasoning-differs", reasoning="At first sight [Final Score: {other}]"),
        Behaviour(
            "reasoning-differs-openrouter",
            reasoning="At first sight [Final Score: {other}]",
            reasoning_field="reasoning",
        ),
        Behaviour("truncated", content="Step 1 of the first", finish_reason="length"),
        Behaviour("truncated-after-score", finish_reason="length"),
        Behaviour("truncated-empty", content=None, reasoning="Hmm, ", finish_reason="length"),
        Behaviour("unknown-finish-reason", finish_reason="eos"),
        Behaviour("null-finish-reason", finish_reason=None),
        Behaviour("insufficient-system-resource", finish_reason="insufficient_system_resource"),
        Behaviour("content-filter", content="", finish_reason="content_filter"),
        Behaviour("unparsable", content="Both are fine, I would say a four."),
        Behaviour("out-of-range", content="[Final Score: 7]"),
        Behaviour("two-scores", content="[Final Score: {other}] at first.\n[Final Score: {score}] at last."),
        Behaviour("missing-usage", usage=None),
        Behaviour("deepseek-usage", usage="deepseek"),
        Behaviour("terminal-escapes", content="\x1b[2J\x1b]0;owned\x07" + ANSWER),
        Behaviour("lone-surrogate", content="\ud800 \x00 " + ANSWER),
    ]
)
"""Every named behaviour; change one with `dataclasses.replace`."""


@dataclass(frozen=True)
class Rule:
    """Which calls get a behaviour; all conditions must hold.

    Attributes:
        behaviour: What those calls get.
        calls: Indices of calls in order of arrival, counted from 0.
        pair: The keys of the first and second text.
        attempts: Only the first so many calls for one prompt, so that a client which retries gets through.
        probability: Share of the calls, by a hash of (seed, pair, attempt): the same at any speed.
        seed: Changes which calls `probability` takes.
    """

    behaviour: Behaviour
    calls: range | frozenset[int] | None = None
    pair: tuple[str, str] | None = None
    attempts: int | None = None
    probability: float = 1.0
    seed: int = 0

    def applies(self, *, call: int, pair: tuple[str, str], attempt: int) -> bool:
        """Whether this rule takes the call; `attempt` counts earlier calls for the same prompt."""
        if self.calls is not None and call not in self.calls:
            return False
        if self.pair is not None and pair != self.pair:
            return False
        if self.attempts is not None and attempt >= self.attempts:
            return False
        drawn = zlib.crc32(repr((self.seed, self.behaviour.name, pair, attempt)).encode()) / 2**32
        return drawn < self.probability


@dataclass(frozen=True)
class Faults:
    """Rules in order of precedence; a call that none takes is treated well."""

    rules: Sequence[Rule] = field(default_factory=tuple)
    otherwise: Behaviour = GOOD

    def choose(self, *, call: int, pair: tuple[str, str], attempt: int) -> Behaviour:
        """The behaviour of one call."""
        for rule in self.rules:
            if rule.applies(call=call, pair=pair, attempt=attempt):
                return rule.behaviour
        return self.otherwise


def first_attempts(name: str, attempts: int = 1, **changes: object) -> Faults:
    """The named behaviour on the first attempts of every prompt, then good replies."""
    behaviour = replace(BEHAVIOURS[name], **changes)  # type: ignore[arg-type]
    return Faults([Rule(behaviour, attempts=attempts)])


def always(name: str, **changes: object) -> Faults:
    """The named behaviour on every call."""
    return Faults(otherwise=replace(BEHAVIOURS[name], **changes))  # type: ignore[arg-type]


def storm(names: Sequence[str], *, probability: float, attempts: int = 2, seed: int = 0) -> Faults:
    """Several behaviours mixed at random, each on its share of the first attempts of every prompt."""
    share = probability / len(names)
    return Faults([Rule(BEHAVIOURS[n], attempts=attempts, probability=share, seed=seed) for n in names])


def parse_rule(text: str) -> Rule:
    """A rule from the command line: `NAME[:calls=A-B][:pair=X,Y][:attempts=N][:p=F][:seed=N]`.

    Raises:
        ValueError: The name is unknown, or a condition can't be read.
    """
    name, *conditions = text.split(":")
    if name not in BEHAVIOURS:
        raise ValueError(f"unknown fault {name!r}; known: {', '.join(BEHAVIOURS)}")
    rule = Rule(BEHAVIOURS[name])
    for condition in conditions:
        key, _, value = condition.partition("=")
        if key == "calls":
            start, _, stop = value.partition("-")
            rule = replace(rule, calls=range(int(start), int(stop or start) + 1))
        elif key == "pair":
            first, _, second = value.partition(",")
            rule = replace(rule, pair=(first, second))
        elif key == "attempts":
            rule = replace(rule, attempts=int(value))
        elif key == "p":
            rule = replace(rule, probability=float(value))
        elif key == "seed":
            rule = replace(rule, seed=int(value))
        else:
            raise ValueError(f"unknown condition {condition!r} in {text!r}")
    return rule
