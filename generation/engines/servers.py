"""Any number of OpenAI-compatible servers, used at the same time.

A request goes to the server with the fewest in flight. Seeds belong to samples, not to servers, so which
server answers does not change what a seed means. The SDK's own retries are off: they are done here, in one
place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import openai
import tenacity

from diversity_judge.errors import InputError, RunError
from diversity_judge.rubric import THINK_END, THINK_START
from generation.engines.base import EngineInfo, Generation, GenerationRequest, SampleFailedError, Settings
from generation.prompt_formats import Message
from generation.strategies import TokenSampling

RETRIED_STATUS = (408, 409, 429, 500, 502, 503, 504, 529)
FATAL_STATUS = {
    401: "the key is refused; set the variable that --api-key-env names",
    402: "the account's balance is used up",
    403: "the key may not use this model",
    404: "no such model or path there; see --model and --base-url (it usually ends in /v1)",
}
_PROBE_SECONDS = 30.0


@dataclass(frozen=True)
class ServerOptions:
    """How to reach the servers.

    Attributes:
        base_urls: Each with its path, such as `http://localhost:8000/v1`.
        model: The served model's name; None takes the only one that is served.
        api_key_env: The variable that holds the key; None where the servers need none.
        chat_template: Whether the server applies the chat template (else plain completions).
        chat_template_kwargs: Options of the chat template, such as enable_thinking.
        deadline: Seconds for one response, from sending to its last byte.
        attempts: How often one response is tried.
        longest_wait: Seconds between two attempts at most.
    """

    base_urls: tuple[str, ...]
    model: str | None = None
    api_key_env: str | None = None
    chat_template: bool = True
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    deadline: float = 7200.0
    attempts: int = 6
    longest_wait: float = 60.0


@dataclass
class _Server:
    """One server, and how busy it is."""

    url: str
    client: openai.AsyncOpenAI
    is_vllm: bool = False
    version: str = ""
    in_flight: int = 0
    failures: int = 0


class ServersEngine:
    """An `Engine` on OpenAI-compatible servers."""

    rounds_at_once = 1

    def __init__(self, options: ServerOptions) -> None:
        key = "none"
        if options.api_key_env is not None:
            key = os.environ.get(options.api_key_env, "")
            if not key:
                raise InputError(f"--api-key-env: the variable {options.api_key_env} is not set")
        self._options = options
        self._model = options.model or ""
        self._servers = tuple(
            _Server(url, openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=options.deadline))
            for url in options.base_urls
        )

    async def start(self) -> EngineInfo:
        """Ask each server which models it serves and whether it is vLLM.

        Raises:
            RunError: a server cannot be reached, does not serve the model, or there are several
                models and none is named.
        """
        for server in self._servers:
            self._model = await self._served_model(server)
            server.version = await _vllm_version(server)
            server.is_vllm = bool(server.version)
        versions = {f"server {server.url}": server.version or "not vLLM" for server in self._servers}
        return EngineInfo(self._model, versions)

    async def generate(self, request: GenerationRequest) -> Generation:
        """See `Engine.generate`."""
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._options.attempts),
            wait=_wait_as_told(self._options.longest_wait),
            retry=tenacity.retry_if_exception(_is_passing),
            reraise=True,
        )
        try:
            result: Generation = await retrying(self._attempt, request)
        except openai.APIStatusError as error:
            if error.status_code in FATAL_STATUS:
                raise RunError(
                    f"{error.request.url}: HTTP {error.status_code}: {FATAL_STATUS[error.status_code]}"
                ) from error
            raise SampleFailedError(f"HTTP {error.status_code}: {_sentence(error)}") from error
        except openai.APIError as error:
            raise SampleFailedError(f"{type(error).__name__}: {_sentence(error)}") from error
        return result

    async def generate_together(self, requests: Sequence[GenerationRequest]) -> list[Generation | SampleFailedError]:
        """Servers answer others too, so nobody can say what is computed together.

        Raises:
            RunError: always.
        """
        raise RunError("requests cannot be started together on servers: sample in this process")

    async def rejections(self, extra_args: Settings) -> Mapping[str, str | None]:
        """See `Engine.rejections`."""
        request = GenerationRequest(
            (Message("user", "1"),), TokenSampling(), seed=0, extra_args=extra_args, max_tokens=1
        )
        return {server.url: await self._rejection(server, request) for server in self._servers}

    async def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            await server.client.close()

    async def _rejection(self, server: _Server, request: GenerationRequest) -> str | None:
        try:
            await self._send(server, request)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            return _sentence(error)
        except openai.APIError as error:
            raise RunError(f"{server.url} fails on a request of one token: {_sentence(error)}") from error
        return None

    async def _served_model(self, server: _Server) -> str:
        try:
            served = [model.id async for model in server.client.models.list(timeout=_PROBE_SECONDS)]
        except openai.APIStatusError as error:
            advice = FATAL_STATUS.get(error.status_code, "see the server's log")
            raise RunError(f"{server.url}: HTTP {error.status_code}: {advice}") from error
        except openai.APIError as error:
            raise RunError(f"{server.url}: cannot be reached ({_sentence(error)}); is the server up?") from error
        if self._model:
            if self._model not in served:
                raise RunError(f"{server.url} serves {', '.join(served) or 'nothing'}, not {self._model!r}")
            return self._model
        if len(served) != 1:
            raise RunError(f"{server.url} serves {len(served)} models ({', '.join(served)}): choose one by --model")
        return str(served[0])

    async def _attempt(self, request: GenerationRequest) -> Generation:
        server = min(self._servers, key=lambda server: (server.failures, server.in_flight))
        server.in_flight += 1
        try:
            result = await asyncio.wait_for(self._send(server, request), self._options.deadline)
        except asyncio.TimeoutError as error:
            raise SampleFailedError(f"no complete response within {self._options.deadline:g} s") from error
        except openai.APIError as error:
            # A server that fails is tried last until it answers again.
            server.failures += _is_passing(error)
            raise
        else:
            server.failures = 0
        finally:
            server.in_flight -= 1
        return result

    async def _send(self, server: _Server, request: GenerationRequest) -> Generation:
        body = _extra_body(server, request)
        common: dict[str, Any] = {
            "model": self._model,
            "temperature": request.tokens.temperature,
            "top_p": request.tokens.top_p,
            "presence_penalty": request.tokens.presence_penalty,
            "seed": request.seed,
        }
        if request.max_tokens is not None:
            common["max_tokens"] = request.max_tokens
        if not self._options.chat_template:
            completion = await server.client.completions.create(
                prompt=request.messages[-1].content, extra_body=body, **common
            )
            choice = completion.choices[0]
            return Generation(choice.text, choice.finish_reason, _sampled(completion))
        if self._options.chat_template_kwargs:
            body["chat_template_kwargs"] = dict(self._options.chat_template_kwargs)
        messages: Any = [{"role": message.role, "content": message.content} for message in request.messages]
        chat = await server.client.chat.completions.create(messages=messages, extra_body=body, **common)
        return Generation(_full_text(chat.choices[0].message), chat.choices[0].finish_reason, _sampled(chat))


def _extra_body(server: _Server, request: GenerationRequest) -> dict[str, Any]:
    """What vLLM takes beyond the OpenAI fields.

    vLLM fills in what a request leaves open from the model's own recommendations, so everything is said;
    other servers may refuse unknown fields, so they are told only what is not off.
    """
    tokens = request.tokens
    body: dict[str, Any] = {
        "top_k": tokens.top_k,
        "min_p": tokens.min_p,
        "repetition_penalty": tokens.repetition_penalty,
    }
    if not server.is_vllm:
        off = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
        body = {key: value for key, value in body.items() if value != off[key]}
    # A server can have Expert-Sample on by default; a strategy without it must say so.
    extra_args = dict(request.extra_args)
    if server.is_vllm:
        extra_args.setdefault("expert_sample", 0)
    if extra_args:
        body["vllm_xargs"] = extra_args
    return body


def _full_text(message: Any) -> str:
    """Reasoning and answer as one text, whether the server took the reasoning apart or not."""
    reasoning = getattr(message, "reasoning", None) or getattr(message, "reasoning_content", None)
    content = message.content or ""
    if not reasoning:
        return content
    # Without an answer the response was cut off while reasoning: then the reasoning was never closed.
    opened = f"{THINK_START}\n{reasoning}"
    return f"{opened}\n{THINK_END}\n\n{content}" if content else opened


def _sampled(completion: Any) -> int | None:
    return completion.usage.completion_tokens if completion.usage is not None else None


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, openai.APIStatusError):
        return error.status_code in RETRIED_STATUS
    return isinstance(error, openai.APIConnectionError)  # timeouts are among these


def _wait_as_told(longest: float) -> Callable[[tenacity.RetryCallState], float]:
    """Wait as long as `Retry-After` says, or else longer each time, with jitter."""
    otherwise = tenacity.wait_random_exponential(multiplier=1, max=longest)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        told = error.response.headers.get("retry-after") if isinstance(error, openai.APIStatusError) else None
        try:
            return min(longest, max(0.0, float(told))) if told is not None else otherwise(state)
        except ValueError:  # Retry-After may also be a date
            return otherwise(state)

    return wait


async def _vllm_version(server: _Server) -> str:
    """The version that vLLM's `/version` names, or nothing if this is another server."""
    root = server.url.rstrip("/").removesuffix("/v1")
    try:
        reply = await server.client.with_options(base_url=root, timeout=_PROBE_SECONDS).get("/version", cast_to=object)
    except openai.APIError:
        return ""
    return str(reply.get("version", "")) if isinstance(reply, Mapping) else ""


def _sentence(error: openai.APIError) -> str:
    """What the server itself says, without the envelope, on one line and not endless."""
    body = error.body
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        body = inner.get("message") if isinstance(inner, Mapping) else inner
    return " ".join(str(body or error.message).split())[:500]
