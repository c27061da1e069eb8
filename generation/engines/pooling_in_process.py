"""vLLM in this process, asked for the numbers of a reward model."""

from __future__ import annotations

import itertools

from diversity_judge.errors import RunError
from generation.engines.async_vllm import AsyncVLLM
from generation.engines.base import SampleFailedError
from generation.engines.in_process import NAME
from generation.engines.pooling import PoolingRequest, Rows, rows_of
from generation.engines.vllm_options import VLLMOptions
from generation.engines.vllm_requests import pooling_params


class PoolingInProcess(AsyncVLLM):
    """A `PoolingEngine` on vLLM's `AsyncLLM`."""

    def __init__(self, options: VLLMOptions) -> None:
        super().__init__(options)
        self._names = itertools.count()

    async def rows(self, request: PoolingRequest) -> Rows:
        """See `PoolingEngine.rows`."""
        with self.asking():
            (prompt,) = self._llm.renderer.render_cmpl([{"prompt_token_ids": list(request.token_ids)}])
            name = str(next(self._names))
            outputs = [out async for out in self._llm.encode(prompt, pooling_params(request), request_id=name)]
            return rows_of(outputs[-1].outputs.data.tolist())

    async def rows_of_each(self, request: PoolingRequest) -> dict[str, Rows]:
        """See `PoolingEngine.rows_of_each`."""
        try:
            return {NAME: await self.rows(request)}
        except SampleFailedError as error:
            raise RunError(f"{self._options.model!r} is no such reward model: {error}") from error
