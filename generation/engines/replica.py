"""One copy of the model in a process of its own, on one core: what `replicas` starts.

vLLM's engine, scheduler and worker all run in this process, without the three processes and the waiting for one
another that large models need. For a model of a few megabytes that is most of the time.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from diversity_judge.errors import DiversityJudgeError, RunError
from generation.engines.base import EngineInfo, Generation, GenerationRequest, SampleFailedError
from generation.engines.cpu_cache import choose_cache
from generation.engines.engine_log import EngineLog
from generation.engines.pooling import PoolingRequest, Rows
from generation.engines.vllm_options import VLLMOptions, import_failure, versions
from generation.engines.vllm_processes import end_quickly
from generation.engines.vllm_requests import (
    Prompts,
    RequestRefusedError,
    generation_of,
    pooled,
    pooling_params,
    pooling_prompt,
    sampling_params,
)
from generation.interrupts import SIGNALS

_SECONDS_TO_END = 3.0

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
"""What its process has to be started with. An OpenMP that is preloaded, as vLLM's documentation advises for CPUs, reads
its number of threads before any line of Python: two threads on one core wait for each other 30 times as long.
"""

Request = GenerationRequest | PoolingRequest
Reply = Generation | Rows | SampleFailedError
Answers = Sequence[tuple[int, Reply]]
"""What a replica sends: replies by the number of their request."""


@dataclass(frozen=True)
class Work:
    """What a replica is sent.

    Attributes:
        requests: By a number that the answer names.
        with_empty_caches: Whether they wait until the engine has nothing to do, and start with empty caches.
    """

    requests: Mapping[int, Request]
    with_empty_caches: bool


def serve(connection: Connection, options: VLLMOptions, core: int | None) -> None:
    """Run a replica until the other end of the connection closes: the target of its process.

    First an `EngineInfo` is sent, or the error that kept the engine from starting; then `Answers` to each `Work`.

    Args:
        connection: To the process that samples.
        options: What vLLM is started with.
        core: The core to run on, None for any.
    """
    # A terminal or a scheduler tells all processes to end; the one that samples decides what becomes of it.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    arrived: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
    # Always reading, so that the other end can always write, and gone with it, whatever this process is doing.
    threading.Thread(target=_read_all, args=(connection, arrived), daemon=True).start()
    log = EngineLog(options.log)
    try:
        log.take_over()
        _use_one_core(core)
        replica = _Replica(options, log)
    except DiversityJudgeError as error:
        connection.send(error)
        end_quickly()
        return
    connection.send(EngineInfo(options.model, versions()))
    try:
        with contextlib.suppress(BrokenPipeError):  # nobody waits for the answer any more
            replica.run(arrived, connection)
        end_quickly()
    except BaseException:
        traceback.print_exc()
        # Not through vLLM's own ends, which could wait for what is broken.
        os._exit(1)


def _read_all(connection: Connection, arrived: queue.SimpleQueue[Work | None]) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            arrived.put(connection.recv())
    arrived.put(None)
    time.sleep(_SECONDS_TO_END)
    os._exit(0)  # nobody waits for anything that this process could still do


def _use_one_core(core: int | None) -> None:
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


class _Replica:
    """vLLM's synchronous engine and the requests that it works on."""

    def __init__(self, options: VLLMOptions, log: EngineLog) -> None:
        try:
            from vllm.engine.arg_utils import EngineArgs
            from vllm.platforms import current_platform
            from vllm.v1.engine.llm_engine import LLMEngine
        except Exception as error:
            raise import_failure(error) from error
        if not current_platform.is_cpu():
            raise RunError("--cpu-replicas is for vLLM on a CPU; on GPUs use --data-parallel-size")
        try:
            args = EngineArgs(**({"distributed_executor_backend": "uni"} | options.for_vllm()))
            config = args.create_engine_config()
            choose_cache(config, options.engine_args, options.workload)
            self._llm = LLMEngine.from_vllm_config(config, disable_log_stats=args.disable_log_stats)
        except DiversityJudgeError:
            raise
        except Exception as error:  # vLLM's start raises many types
            if options.log is not None:
                traceback.print_exc()
            raise log.failure(f"vLLM does not start with {options.model!r}", error) from error
        self._prompts = Prompts(self._llm.renderer, options)
        self._max_model_len = int(self._llm.vllm_config.model_config.max_model_len)
        self._running: dict[str, Callable[[Any], Reply]] = {}

    def run(self, arrived: queue.SimpleQueue[Work | None], connection: Connection) -> None:
        """Work until None arrives; new requests join between two steps of the engine, or wait until it is empty."""
        waiting: Work | None = None
        while True:
            while waiting is None and not (self._running and arrived.empty()):
                waiting = arrived.get()
                if waiting is None:
                    return
                if not (waiting.with_empty_caches and self._running):
                    self._begin(waiting, connection)
                    waiting = None
            outputs = [output for output in self._llm.step() if output.finished]
            if outputs:
                connection.send([(int(output.request_id), self._reply(output)) for output in outputs])
            if waiting is not None and not self._running:
                self._begin(waiting, connection)
                waiting = None

    def _begin(self, work: Work, connection: Connection) -> None:
        """Queue requests, and answer those that are refused."""
        if work.with_empty_caches:
            self._llm.reset_prefix_cache()
        queued = ((number, self._queue(str(number), request)) for number, request in work.requests.items())
        refused: Answers = [(number, error) for number, error in queued if error is not None]
        if refused:
            connection.send(refused)

    def _queue(self, name: str, request: Request) -> SampleFailedError | None:
        from vllm.exceptions import VLLMClientError

        try:
            engine_input, params, reply_of = self._asked(request)
            self._llm.add_request(name, engine_input, params)
        except SampleFailedError as error:
            return error
        except (VLLMClientError, ValueError) as error:
            return RequestRefusedError(str(error))
        self._running[name] = reply_of
        return None

    def _asked(self, request: Request) -> tuple[Any, Any, Callable[[Any], Reply]]:
        """What vLLM is given for a request, and how its output is read."""
        if isinstance(request, PoolingRequest):
            return pooling_prompt(self._llm.renderer, request), pooling_params(request), pooled
        prompt = self._prompts.of(request.messages)
        params = sampling_params(request, prompt, self._max_model_len)
        return dict(prompt.engine_input), params, partial(generation_of, prompt)

    def _reply(self, output: Any) -> Reply:
        return self._running.pop(output.request_id)(output)
