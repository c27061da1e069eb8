"""Any number of `vllm serve --runner pooling`, asked for the numbers of a reward model by `POST /pooling`."""

from __future__ import annotations

import json
from typing import Any

from diversity_judge.errors import RunError
from diversity_judge.hosts.calls import CallError, TransientError
from diversity_judge.rubric import Missing
from generation.engines.base import EngineInfo
from generation.engines.pooling import PoolingRequest, Rows, rows_of
from generation.engines.server_pool import Server, ServerPool

_PATH = "/pooling"


class PoolingServers:
    """A `PoolingEngine` on servers.

    Args:
        pool: Where they are.
    """

    def __init__(self, pool: ServerPool) -> None:
        self._pool = pool

    @property
    def max_model_len(self) -> int | None:
        """The shortest context of the servers."""
        said = [server.max_model_len for server in self._pool.servers if server.max_model_len]
        return min(said, default=None)

    async def start(self) -> EngineInfo:
        """See `ServerPool.start`."""
        return await self._pool.start()

    async def rows(self, request: PoolingRequest) -> Rows:
        """See `PoolingEngine.rows`."""
        return await self._pool.call(lambda server: self._send(server, request))

    async def rows_of_each(self, request: PoolingRequest) -> dict[str, Rows]:
        """See `PoolingEngine.rows_of_each`."""
        return {server.name: await self._probe(server, request) for server in self._pool.servers}

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    async def _probe(self, server: Server, request: PoolingRequest) -> Rows:
        try:
            return await self._send(server, request)
        except CallError as error:
            raise RunError(
                f"{server.name} does not read a text of {len(request.token_ids)} tokens at {_PATH}, so it is no "
                f"reward model, or serves one otherwise ({error})"
            ) from error

    async def _send(self, server: Server, request: PoolingRequest) -> Rows:
        body = {
            "model": self._pool.model,
            "input": list(request.token_ids),
            "task": request.task,
            "use_activation": request.activation,
        }
        return _read(await server.client.post(server.root + _PATH, body))


def _read(text: str) -> Rows:
    """The rows in an answer to one text.

    Raises:
        TransientError: it is no such answer.
    """
    try:
        data: Any = json.loads(text)["data"]
        if len(data) != 1:
            raise ValueError(f"{len(data)} answers to one text")
        return rows_of(data[0]["data"])
    except Exception as error:  # whatever the server sent instead
        said = f"its answer cannot be read: {type(error).__name__}"
        raise TransientError(Missing.MALFORMED, said) from None
