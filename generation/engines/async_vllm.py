"""A start of vLLM's asynchronous engine in this process, and its end, whatever it is asked for in between.

The asynchronous engine rather than `LLM`: `LLM` waits for whole batches and refuses data parallelism, while this one
hands over each answer as it is finished, so that it can be on disk a moment later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from diversity_judge.errors import DiversityJudgeError, RunError
from generation.engines.base import EngineInfo, SampleFailedError
from generation.engines.cpu_cache import choose_cache
from generation.engines.engine_log import EngineLog
from generation.engines.reaper import Reaper
from generation.engines.starting import start_ends_with_signals
from generation.engines.vllm_options import VLLMOptions, import_failure, quiet_and_patient, versions
from generation.engines.vllm_processes import quick_to_end
from generation.engines.vllm_requests import RequestRefusedError

_SECONDS_TO_END = 60.0
"""For the engine core to end: it waits for its worker, and a busy CPU takes longer than vLLM's 5 s for both."""
_SECONDS_TO_END_INTERRUPTED = 4.0
"""Where requests were given up: of Ctrl-C in a terminal the worker dies, and its core waits for it for ever."""


class AsyncVLLM:
    """vLLM's `AsyncLLM`, started by this process.

    Attributes:
        max_model_len: Tokens of the longest prompt and answer, once it is started.
    """

    def __init__(self, options: VLLMOptions) -> None:
        self._options = options
        self._llm: Any = None
        self.max_model_len = 0
        self._reaper = Reaper()
        self._log = EngineLog(options.log)
        self._failed = False
        self._gave_up = False

    async def start(self) -> EngineInfo:
        """Start the engine core and its workers (minutes for a large model).

        Raises:
            RunError: vLLM does not start.
            InputError: vLLM cannot be imported, or the model has no experts whose number could be set.
        """
        quiet_and_patient()
        self._log.begin()
        await asyncio.sleep(0)  # for an interruption that came before
        # The start holds the event loop for minutes: a signal has to end it from here. The console comes back last.
        with self._reaper.watching(), self._log.taking_output(), start_ends_with_signals():
            self._llm = self._started()
        self.max_model_len = int(self._llm.vllm_config.model_config.max_model_len)
        return EngineInfo(self._options.model, versions())

    def _started(self) -> Any:
        try:
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
        except Exception as error:
            raise import_failure(error) from error
        try:
            args = AsyncEngineArgs(**({"enable_log_requests": False} | self._options.for_vllm()))
            config = args.create_engine_config()
            choose_cache(config, self._options.engine_args, self._options.workload)
            with quick_to_end():
                return AsyncLLM.from_vllm_config(
                    config, enable_log_requests=args.enable_log_requests, disable_log_stats=args.disable_log_stats
                )
        except DiversityJudgeError:
            raise
        except Exception as error:  # vLLM's start raises many types
            raise self.failure(f"vLLM does not start with {self._options.model!r}", error) from error

    def failure(self, what: str, error: Exception) -> RunError:
        """The error of an engine that failed; its log stays."""
        self._failed = True
        return self._log.failure(what, error)

    async def call_workers(self, method: str, *args: Any) -> list[Any]:
        """Call a method of every worker (of a `worker_extension_cls`, say); their answers, in order of rank."""
        answers: list[Any] = await self._llm.collective_rpc(method, args=args)
        return answers

    async def close(self) -> None:
        """Stop the engine core and its workers; a second interruption kills them."""
        if self._llm is not None:
            llm, self._llm = self._llm, None
            try:
                # Not in a thread: the engine's reader must not run on while its core goes away under it.
                with self._log.taking_output():
                    llm.shutdown(timeout=_SECONDS_TO_END_INTERRUPTED if self._gave_up else _SECONDS_TO_END)
            except BaseException:
                self._reaper.reap()
                raise
        self._reaper.close()
        self._log.end(keep=self._failed)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """A block in which one answer is waited for: what vLLM raises in it becomes an engine's error.

        Raises:
            SampleFailedError: this request cannot be served.
            RunError: no request can be served any more.
        """
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        try:
            with self.noting_cancellation():
                yield
        except EngineDeadError as error:
            raise self.failure("the vLLM engine died (a resume continues)", error) from error
        except EngineGenerateError as error:
            raise SampleFailedError(f"vLLM: {error.__cause__ or error}") from error
        except (VLLMClientError, ValueError) as error:
            raise RequestRefusedError(str(error)) from error

    @contextlib.contextmanager
    def noting_cancellation(self) -> Iterator[None]:
        """A block in which requests are given up where it is cancelled."""
        try:
            yield
        except asyncio.CancelledError:
            self._gave_up = True
            raise
