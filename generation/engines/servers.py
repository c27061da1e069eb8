"""OpenAI-compatible servers that sample responses.

Seeds belong to samples, not to servers, so which server answers does not change what a seed means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diversity_judge.errors import InputError, RunError
from diversity_judge.hosts.calls import CallError, RejectedError
from diversity_judge.hosts.completion import Completion, read_completion
from diversity_judge.hosts.secrets import credential_in
from diversity_judge.rubric import THINK_END, THINK_START
from generation.engines.base import EngineInfo, Generation, GenerationRequest, SampleFailedError, Settings
from generation.engines.server_pool import LONGEST_WAIT, Server, ServerPool
from generation.prompt_formats import Message
from generation.strategies import TokenSampling


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
    longest_wait: float = LONGEST_WAIT


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
        self._options = options
        self._pool = ServerPool(
            options.base_urls,
            model=options.model or "",
            api_key_env=options.api_key_env,
            deadline=options.deadline,
            attempts=options.attempts,
            longest_wait=options.longest_wait,
        )

    async def start(self) -> EngineInfo:
        """See `ServerPool.start`."""
        return await self._pool.start()

    async def generate(self, request: GenerationRequest) -> Generation:
        """See `Engine.generate`."""
        return await self._pool.call(lambda server: self._send(server, request))

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
        return {server.name: await self._rejection(server, request) for server in self._pool.servers}

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    async def _rejection(self, server: Server, request: GenerationRequest) -> str | None:
        try:
            await self._send(server, request)
        except RejectedError as error:
            if error.reason in ("http_400", "http_422"):
                return str(error)
            raise RunError(f"{server.name} fails on a request of one token: {error}") from error
        except CallError as error:
            raise RunError(f"{server.name} fails on a request of one token: {error}") from error
        return None

    async def _send(self, server: Server, request: GenerationRequest) -> Generation:
        body = _extra_body(server, request)
        common: dict[str, Any] = {
            "model": self._pool.model,
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


def _extra_body(server: Server, request: GenerationRequest) -> dict[str, Any]:
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
