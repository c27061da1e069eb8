"""vLLM in this process, asked for responses."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping, Sequence

from generation.engines.async_vllm import AsyncVLLM
from generation.engines.base import EngineInfo, Generation, GenerationRequest, SampleFailedError, Settings
from generation.engines.vllm_options import VLLMOptions
from generation.engines.vllm_requests import Prompts, generation_of, rejection, sampling_params

NAME = "the engine in this process"


class InProcessEngine(AsyncVLLM):
    """An `Engine` on vLLM's `AsyncLLM`."""

    rounds_at_once = 1

    def __init__(self, options: VLLMOptions) -> None:
        super().__init__(options)
        self._prompts: Prompts | None = None
        self._names = itertools.count()

    async def start(self) -> EngineInfo:
        """See `AsyncVLLM.start`."""
        info = await super().start()
        self._prompts = Prompts(self._llm.renderer, self._options)
        return info

    async def generate(self, request: GenerationRequest) -> Generation:
        """See `Engine.generate`."""
        with self.asking():
            return await self._run(request)

    async def generate_together(self, requests: Sequence[GenerationRequest]) -> list[Generation | SampleFailedError]:
        """See `Engine.generate_together`."""
        assert self._prompts is not None
        for request in requests:
            with contextlib.suppress(Exception):  # one that cannot be read fails as itself below
                self._prompts.of(request.messages)
        with self.noting_cancellation():
            await self._llm.pause_generation(mode="keep", clear_cache=True)
            tasks = [asyncio.create_task(self.generate(request)) for request in requests]
            # Queued in the order of the tasks, refused ones are done; the engine core hears of all before it goes on.
            while self._n_queued() + sum(map(_is_done, tasks)) < len(tasks):  # noqa: ASYNC110 - vLLM tells nobody
                await asyncio.sleep(0.001)
            await self._llm.resume_generation()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return [_response_or_reason(outcome) for outcome in outcomes]

    def _n_queued(self) -> int:
        return int(self._llm.output_processor.get_num_unfinished_requests())

    async def rejections(self, extra_args: Settings) -> Mapping[str, str | None]:
        """See `Engine.rejections`."""
        return {NAME: await rejection(self, extra_args)}

    async def _run(self, request: GenerationRequest) -> Generation:
        assert self._prompts is not None
        prompt = self._prompts.of(request.messages)
        params = sampling_params(request, prompt, self.max_model_len)
        name = str(next(self._names))
        outputs = [output async for output in self._llm.generate(dict(prompt.engine_input), params, request_id=name)]
        if not outputs:
            raise SampleFailedError("vLLM gave no output")
        return generation_of(prompt, outputs[-1])


def _is_done(task: asyncio.Task[Generation]) -> bool:
    return task.done()


def _response_or_reason(outcome: Generation | BaseException) -> Generation | SampleFailedError:
    if isinstance(outcome, (Generation, SampleFailedError)):
        return outcome
    raise outcome
