"""The interface of an engine, and the check that it honours what a strategy asks for.

vLLM passes settings that it does not know to plugins and ignores them when there is none. A server without
the plugin would so sample `expert-sample` with its ordinary routing and nobody would notice. So every
engine is asked something that only the plugin refuses, before anything is sampled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from diversity_judge.errors import InputError, RunError
from generation.prompt_formats import Message
from generation.strategies import Strategy, TokenSampling

Settings = Mapping[str, "int | float | str"]


@dataclass(frozen=True)
class GenerationRequest:
    """One response to sample.

    Attributes:
        messages: What the model is asked; the last one alone, as plain text, where no chat template is used.
        tokens: How tokens are drawn.
        seed: Seed of the token sampling.
        extra_args: Settings for plugins, as flat values.
        max_tokens: The longest response; None for as long as the model's context allows.
    """

    messages: tuple[Message, ...]
    tokens: TokenSampling
    seed: int
    extra_args: Settings
    max_tokens: int | None


@dataclass(frozen=True)
class Generation:
    """One sampled response.

    Attributes:
        text: Reasoning (as `<think>...</think>`) and answer.
        finish_reason: `stop`, `length`, or another word of the server's.
        n_tokens: Sampled tokens, None where the server does not say.
    """

    text: str
    finish_reason: str | None
    n_tokens: int | None


@dataclass(frozen=True)
class EngineInfo:
    """What a response must say about where it comes from.

    Attributes:
        model: The model's name.
        versions: Package or server versions by name.
    """

    model: str
    versions: Mapping[str, str] = field(default_factory=dict)


class SampleFailedError(Exception):
    """One response could not be sampled; others may well be."""


class Startable(Protocol):
    """What is asked for responses or for numbers, between `start` and `close`, from one event loop."""

    async def start(self) -> EngineInfo:
        """Load the model or reach the servers.

        Raises:
            RunError: that failed; the message says what to do.
        """

    async def close(self) -> None:
        """Release what `start` took."""


class Engine(Startable, Protocol):
    """Something that samples responses.

    Attributes:
        rounds_at_once: Calls of `generate_together` that can run at the same time.
    """

    rounds_at_once: int

    async def generate(self, request: GenerationRequest) -> Generation:
        """Sample one response.

        Raises:
            SampleFailedError: this request cannot be served.
            RunError: no request can be served any more.
        """

    async def generate_together(self, requests: Sequence[GenerationRequest]) -> list[Generation | SampleFailedError]:
        """Sample responses that start at one moment, with nothing else in the engine and nothing in its caches.

        The batches that compute them are then always the same, so that on one machine the tokens repeat to the bit
        also where arithmetic depends on the batch.

        Returns:
            For each request its response, or why there is none.

        Raises:
            RunError: no request can be served any more, or this engine cannot start requests together.
        """

    async def rejections(self, extra_args: Settings) -> Mapping[str, str | None]:
        """Try a request of one token with these settings on every server (or the one engine).

        Returns:
            For each server's name, the sentence with which it refuses the settings, or None if it accepts.

        Raises:
            RunError: a server fails for another reason.
        """


@dataclass(frozen=True)
class _Feature:
    """A plugin's setting group: its switch, what its refusals say, and how to get it."""

    switch: str
    marker: str
    remedy: str


_FEATURES = (
    _Feature(
        "expert_sample",
        "Expert-Sample",
        "the Expert-Sample plugin is not active there. Install this project beside vLLM "
        "(pip install 'diversity-judge[vllm]'), restart, and see that VLLM_PLUGINS does not leave it out",
    ),
    _Feature(
        "edt",
        "EDT",
        "its EDT logits processor is not active there. Install this project beside vLLM "
        "(pip install 'diversity-judge[vllm]') and restart",
    ),
)


async def check_strategies(engine: Engine, strategies: Iterable[Strategy]) -> None:
    """Make sure that the engine honours every setting of every strategy, before anything is sampled.

    First a setting that does not exist: only the plugin itself refuses it, and with its name. Then the real
    settings, which the plugin refuses where they do not fit the model.

    Raises:
        RunError: a plugin is missing; its settings would be ignored silently.
        InputError: a strategy's settings do not fit the model.
    """
    demanding = {strategy.name: strategy.extra_args(0) for strategy in strategies if strategy.extra_args(0)}
    for feature in _FEATURES:
        users = [name for name, settings in demanding.items() if feature.switch in settings]
        if not users:
            continue
        replies = await engine.rejections({feature.switch: 1, f"{feature.switch}_probe": 1})
        for server, sentence in replies.items():
            if sentence is None or feature.marker not in sentence:
                raise RunError(f"strategy {users[0]!r} cannot be sampled by {server}: {feature.remedy}")
    for name, settings in demanding.items():
        for server, sentence in (await engine.rejections(settings)).items():
            if sentence is not None:
                raise InputError(f"strategy {name!r} is refused by {server}: {sentence}")
