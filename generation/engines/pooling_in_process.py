"""vLLM in this process, asked for the numbers of a reward model."""

from __future__ import annotations

import itertools

from generation.engines.async_vllm import AsyncVLLM
from generation.engines.base import SampleFailedError
from generation.engines.in_process import NAME
from generation.engines.pooling import PoolingRequest, Rows, probe_failure
from generation.engines.vllm_options import VLLMOptions
from generation.engines.vllm_requests import pooled, pooling_params, pooling_prompt


class PoolingInProcess(AsyncVLLM):
    """A `PoolingEngine` on vLLM's `AsyncLLM`."""

    def __init__(self, options: VLLMOptions) -> None:
        super().__init__(options)
        self._names = itertools.count()

    async def rows(self, request: PoolingRequest) -> Rows:
        """See `PoolingEngine.rows`."""
        with self.asking():
            prompt, params = pooling_prompt(self._llm.renderer, request), pooling_params(request)
            outputs = [output async for output in self._llm.encode(prompt, params, request_id=str(next(self._names)))]
            return pooled(outputs[-1])

    async def rows_of_each(self, request: PoolingRequest) -> dict[str, Rows]:
        """See `PoolingEngine.rows_of_each`."""
        try:
            return {NAME: await self.rows(request)}
        except SampleFailedError as error:
            raise probe_failure(self._options.model, error) from error
