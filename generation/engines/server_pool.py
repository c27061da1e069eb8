"""Any number of servers of one model, used at the same time: which one is asked, what is tried again, and when.

A request goes to the server with the fewest in flight. A call and what its failure means are `diversity_judge.hosts`'.
A server that asks to wait is not asked before that time. What is sent is the caller's business.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from diversity_judge.errors import RunError
from diversity_judge.hosts.address import read_address
from diversity_judge.hosts.calls import CallError, FatalError, TransientError
from diversity_judge.hosts.client import HostClient
from diversity_judge.hosts.completion import OddCompletionError
from diversity_judge.hosts.descriptors import fitting_concurrency
from diversity_judge.hosts.secrets import read_key
from diversity_judge.rubric import Missing
from diversity_judge.text_safety import printable
from generation.engines.base import EngineInfo, SampleFailedError

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds between two attempts at most, unless a server asks for more."""
_PROBE_SECONDS = 30.0
_JITTER_S = 1.0
_MOST_IN_FLIGHT = 2**16
_LONGEST_NAME = 200
_MOST_ODD = 3
"""Completions without a message for one response: each may have been paid for. `score` asks as often."""
_ASKS_TOO_LONG = "asks_too_long"


@dataclass
class Server:
    """One server, and how busy it is.

    Attributes:
        client: By which it is called.
        name: Its address as it may be shown and stored.
        is_vllm: Whether it says that it is.
        version: Of vLLM.
        max_model_len: Tokens of the longest text, as vLLM says; 0 where nobody does.
        in_flight: Requests that it is working on.
        failures: Requests that failed since it last answered one.
        rests_until: It has asked not to be called before (the loop's clock).
    """

    client: HostClient
    name: str
    is_vllm: bool = False
    version: str = ""
    max_model_len: int = 0
    in_flight: int = 0
    failures: int = 0
    rests_until: float = 0.0

    @property
    def root(self) -> str:
        """The base URL without its `/v1`, for what vLLM serves beside the OpenAI paths."""
        return self.client.address.url.rstrip("/").removesuffix("/v1")


class ServerPool:
    """Servers that all serve the same model.

    Args:
        base_urls: Each with its path, such as `http://localhost:8000/v1`.
        model: The served model's name; empty takes the only one that is served.
        api_key_env: The variable that holds the key; None where the servers need none.
        deadline: Seconds for one response, from sending to its last byte.
        attempts: How often one response is tried; where a completion comes that holds no message, three times at most.
        longest_wait: Seconds between two attempts at most, unless the server asks for more.

    Raises:
        InputError: an address, the key, the proxy or the certificates are of no use; nothing was sent.
    """

    def __init__(
        self,
        base_urls: Sequence[str],
        *,
        model: str,
        api_key_env: str | None,
        deadline: float,
        attempts: int,
        longest_wait: float,
    ) -> None:
        addresses = [read_address(url) for url in base_urls]
        key = read_key(api_key_env, ", ".join(address.shown for address in addresses))
        self.model = model
        self.servers = tuple(
            Server(HostClient(address, key, key_name=api_key_env, model=model, deadline_s=deadline), address.shown)
            for address in addresses
        )
        self._deadline, self._attempts, self._longest_wait = deadline, attempts, longest_wait
        self._places: asyncio.Semaphore | None = None

    async def start(self) -> EngineInfo:
        """Ask each server which models it serves and whether it is vLLM.

        Raises:
            RunError: a server cannot be reached, does not serve the model, or there are several
                models and none is named.
        """
        for server in self.servers:
            self.model = await self._served_model(server)
            server.version = await _vllm_version(server)
            server.is_vllm = bool(server.version)
        versions = {f"server {server.name}": server.version or "not vLLM" for server in self.servers}
        return EngineInfo(self.model, versions)

    async def call(self, send: Callable[[Server], Awaitable[T]]) -> T:
        """Have one of the servers answer, and ask again where that may help.

        Args:
            send: Sends the request to a server and reads the reply; its errors are `CallError`s.

        Raises:
            SampleFailedError: this request cannot be served.
            RunError: no request can be served any more.
        """
        retrying = tenacity.AsyncRetrying(
            stop=self._is_enough,
            wait=tenacity.wait_random_exponential(multiplier=1, max=self._longest_wait),
            retry=tenacity.retry_if_exception(_is_tried_again),
            reraise=True,
        )
        try:
            result: T = await retrying(self._attempt, send)
        except FatalError as error:
            raise RunError(str(error)) from error
        except CallError as error:
            raise SampleFailedError(str(error)) from error
        return result

    async def close(self) -> None:
        """Close the connections."""
        for server in self.servers:
            await server.client.close()

    def _is_enough(self, state: tenacity.RetryCallState) -> bool:
        """Whether no further attempt is made. A completion without a message may have been paid for each time."""
        is_odd = state.outcome is not None and isinstance(state.outcome.exception(), OddCompletionError)
        return state.attempt_number >= min(self._attempts, _MOST_ODD if is_odd else self._attempts)

    async def _served_model(self, server: Server) -> str:
        try:
            models = _models(await server.client.get("/models", deadline_s=_PROBE_SECONDS))
        except TransientError as error:
            raise RunError(f"{server.name}: cannot be reached ({error}); is the server up?") from error
        except CallError as error:
            raise RunError(f"{server.name}: {error}") from error
        name = self._chosen(list(models), server)
        server.max_model_len = models[name]
        return name

    def _chosen(self, served: Sequence[str], server: Server) -> str:
        if self.model:
            if self.model not in served:
                raise RunError(f"{server.name} serves {', '.join(served) or 'nothing'}, not {self.model!r}")
            return self.model
        if len(served) != 1:
            raise RunError(f"{server.name} serves {len(served)} models ({', '.join(served)}): choose one by --model")
        return served[0]

    async def _attempt(self, send: Callable[[Server], Awaitable[T]]) -> T:
        if self._places is None:
            self._places = asyncio.Semaphore(fitting_concurrency(_MOST_IN_FLIGHT)[0])
        async with self._places:
            server = await self._next_server()
            try:
                result = await send(server)
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

    async def _next_server(self) -> Server:
        """The server with the least to do, once one may be called.

        Raises:
            TransientError: all have asked for a wait that is longer than a response may take.
        """
        clock = asyncio.get_running_loop().time
        while True:
            now = clock()
            server = min(
                self.servers,
                key=lambda server: (max(0.0, server.rests_until - now), server.failures, server.in_flight),
            )
            wait = server.rests_until - now
            if wait <= 0:
                server.in_flight += 1
                return server
            if wait > self._deadline:
                raise TransientError(
                    _ASKS_TOO_LONG,
                    f"{server.name} asks to wait {wait:,.0f} s, longer than a response may take (--deadline "
                    f"{self._deadline:g})",
                )
            # Those who wait for the same server do not come back all at once.
            await asyncio.sleep(wait + random.uniform(0.0, min(wait, _JITTER_S)))


def _is_tried_again(error: BaseException) -> bool:
    """Whether another attempt may help. A response that took all of its time would do so again."""
    return isinstance(error, TransientError) and error.reason not in (Missing.TIMEOUT, _ASKS_TOO_LONG)


def _models(text: str) -> dict[str, int]:
    """The names in the answer of `/models`, and each model's context where vLLM says it, else 0.

    Raises:
        TransientError: it is no such answer.
    """
    try:
        return {
            printable(str(model["id"]), _LONGEST_NAME): int(model.get("max_model_len") or 0)
            for model in json.loads(text)["data"]
        }
    except Exception as error:  # whatever the server sent instead
        raise TransientError(Missing.MALFORMED, f"its list of models cannot be read: {type(error).__name__}") from None


async def _vllm_version(server: Server) -> str:
    """The version that vLLM's `/version` names, or nothing if this is another server."""
    try:
        reply = json.loads(await server.client.get(f"{server.root}/version", deadline_s=_PROBE_SECONDS))
    except (CallError, ValueError, RecursionError):
        return ""
    return printable(str(reply.get("version", "")), _LONGEST_NAME) if isinstance(reply, Mapping) else ""
