"""Any number of OpenAI-compatible servers, used at the same time.

A request goes to the server with the fewest in flight. Seeds belong to samples, not to servers, so which
server answers does not change what a seed means. A call and what its failure means are `diversity_judge.hosts`';
what is tried again, and when, is decided here. A server that asks to wait is not asked before that time.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tenacity

from diversity_judge.errors import InputError, RunError
from diversity_judge.hosts.address import read_address
from diversity_judge.hosts.calls import CallError, FatalError, RejectedError, TransientError
from diversity_judge.hosts.client import HostClient
from diversity_judge.hosts.completion import Completion, OddCompletionError, read_completion
from diversity_judge.hosts.descriptors import fitting_concurrency
from diversity_judge.hosts.secrets import credential_in, read_key
from diversity_judge.rubric import THINK_END, THINK_START, Missing
from diversity_judge.text_safety import printable
from generation.engines.base import EngineInfo, Generation, GenerationRequest, SampleFailedError, Settings
from generation.prompt_formats import Message
from generation.strategies import TokenSampling

_PROBE_SECONDS = 30.0
_JITTER_S = 1.0
_MOST_IN_FLIGHT = 2**16
_LONGEST_NAME = 200
_MOST_ODD = 3
"""Completions without a message for one response: each may have been paid for. `score` asks as often."""
_ASKS_TOO_LONG = "asks_too_long"


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
        attempts: How often one response is tried; where a completion comes that holds no message, three times at most.
        longest_wait: Seconds between two attempts at most, unless the server asks for more.
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
    """One server, and how busy it is.

    Attributes:
        client: By which it is called.
        name: Its address as it may be shown and stored.
        in_flight: Requests that it is working on.
        failures: Requests that failed since it last answered one.
        rests_until: It has asked not to be called before (the loop's clock).
    """

    client: HostClient
    name: str
    is_vllm: bool = False
    version: str = ""
    in_flight: int = 0
    failures: int = 0
    rests_until: float = 0.0


class ServersEngine:
    """An `Engine` on OpenAI-compatible servers.

    Raises:
        InputError: an address, the key, the proxy or the certificates are of no use; nothing was sent.
    """

    rounds_at_once = 1

    def __init__(self, options: ServerOptions) -> None:
        credential = credential_in(options.chat_template_kwargs)
        if credential is not None:
            raise InputError(f"--chat-template-kwargs: {credential} looks like a credential, and these are stored")
        addresses = [read_address(url) for url in options.base_urls]
        key = read_key(options.api_key_env, ", ".join(address.shown for address in addresses))
        self._options = options
        self._model = options.model or ""
        self._servers = tuple(
            _Server(
                HostClient(
                    address,
                    key,
                    key_name=options.api_key_env,
                    model=self._model,
                    deadline_s=options.deadline,
                ),
                address.shown,
            )
            for address in addresses
        )
        self._places: asyncio.Semaphore | None = None

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
        versions = {f"server {server.name}": server.version or "not vLLM" for server in self._servers}
        return EngineInfo(self._model, versions)

    async def generate(self, request: GenerationRequest) -> Generation:
        """See `Engine.generate`."""
        retrying = tenacity.AsyncRetrying(
            stop=self._is_enough,
            wait=tenacity.wait_random_exponential(multiplier=1, max=self._options.longest_wait),
            retry=tenacity.retry_if_exception(_is_tried_again),
            reraise=True,
        )
        try:
            result: Generation = await retrying(self._attempt, request)
        except FatalError as error:
            raise RunError(str(error)) from error
        except CallError as error:
            raise SampleFailedError(str(error)) from error
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
        return {server.name: await self._rejection(server, request) for server in self._servers}

    async def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            await server.client.close()

    def _is_enough(self, state: tenacity.RetryCallState) -> bool:
        """Whether no further attempt is made. A completion without a message may have been paid for each time."""
        is_odd = state.outcome is not None and isinstance(state.outcome.exception(), OddCompletionError)
        return state.attempt_number >= min(self._options.attempts, _MOST_ODD if is_odd else self._options.attempts)

    async def _rejection(self, server: _Server, request: GenerationRequest) -> str | None:
        try:
            await self._send(server, request)
        except RejectedError as error:
            if error.reason in ("http_400", "http_422"):
                return str(error)
            raise RunError(f"{server.name} fails on a request of one token: {error}") from error
        except CallError as error:
            raise RunError(f"{server.name} fails on a request of one token: {error}") from error
        return None

    async def _served_model(self, server: _Server) -> str:
        try:
            served = _model_names(await server.client.get("/models", deadline_s=_PROBE_SECONDS))
        except TransientError as error:
            raise RunError(f"{server.name}: cannot be reached ({error}); is the server up?") from error
        except CallError as error:
            raise RunError(f"{server.name}: {error}") from error
        if self._model:
            if self._model not in served:
                raise RunError(f"{server.name} serves {', '.join(served) or 'nothing'}, not {self._model!r}")
            return self._model
        if len(served) != 1:
            raise RunError(f"{server.name} serves {len(served)} models ({', '.join(served)}): choose one by --model")
        return served[0]

    async def _attempt(self, request: GenerationRequest) -> Generation:
        if self._places is None:
            self._places = asyncio.Semaphore(fitting_concurrency(_MOST_IN_FLIGHT)[0])
        async with self._places:
            server = await self._next_server()
            try:
                result = await self._send(server, request)
            except TransientError as error:
                # A server that fails is tried last until it answers again.
                server.failures += 1
                if error.retry_after_s is not None:
                    rest = asyncio.get_running_loop().time() + error.retry_after_s
                    server.rests_until = max(server.rests_until, rest)
                raise
            finally:
                server.in_flight -= 1
            server.failures = 0
            return result

    async def _next_server(self) -> _Server:
        """The server with the least to do, once one may be called.

        Raises:
            TransientError: all have asked for a wait that is longer than a response may take.
        """
        clock = asyncio.get_running_loop().time
        while True:
            now = clock()
            server = min(
                self._servers,
                key=lambda server: (max(0.0, server.rests_until - now), server.failures, server.in_flight),
            )
            wait = server.rests_until - now
            if wait <= 0:
                server.in_flight += 1
                return server
            if wait > self._options.deadline:
                raise TransientError(
                    _ASKS_TOO_LONG,
                    f"{server.name} asks to wait {wait:,.0f} s, longer than a response may take (--deadline "
                    f"{self._options.deadline:g})",
                )
            # Those who wait for the same server do not come back all at once.
            await asyncio.sleep(wait + random.uniform(0.0, min(wait, _JITTER_S)))

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
            plain = {"prompt": request.messages[-1].content, **common, **body}
            return _generation(read_completion(await server.client.post("/completions", plain)))
        if self._options.chat_template_kwargs:
            body["chat_template_kwargs"] = dict(self._options.chat_template_kwargs)
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        chat = {"messages": messages, **common, **body}
        return _generation(read_completion(await server.client.post("/chat/completions", chat)))


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


def _generation(completion: Completion) -> Generation:
    """Reasoning and answer as one text, whether the server took the reasoning apart or not."""
    text, reasoning = completion.content, completion.reasoning
    if reasoning:
        # Without an answer the response was cut off while reasoning: then the reasoning was never closed.
        opened = f"{THINK_START}\n{reasoning}"
        text = f"{opened}\n{THINK_END}\n\n{text}" if text else opened
    return Generation(text, completion.finish_reason, completion.completion_tokens)


def _is_tried_again(error: BaseException) -> bool:
    """Whether another attempt may help. A response that took all of its time would do so again."""
    return isinstance(error, TransientError) and error.reason not in (Missing.TIMEOUT, _ASKS_TOO_LONG)


def _model_names(text: str) -> list[str]:
    """The names in the answer of `/models`.

    Raises:
        TransientError: it is no such answer.
    """
    try:
        return [printable(str(model["id"]), _LONGEST_NAME) for model in json.loads(text)["data"]]
    except Exception as error:  # whatever the server sent instead
        raise TransientError(Missing.MALFORMED, f"its list of models cannot be read: {type(error).__name__}") from None


async def _vllm_version(server: _Server) -> str:
    """The version that vLLM's `/version` names, or nothing if this is another server."""
    root = server.client.address.url.rstrip("/").removesuffix("/v1")
    try:
        reply = json.loads(await server.client.get(f"{root}/version", deadline_s=_PROBE_SECONDS))
    except (CallError, ValueError, RecursionError):
        return ""
    return printable(str(reply.get("version", "")), _LONGEST_NAME) if isinstance(reply, Mapping) else ""
