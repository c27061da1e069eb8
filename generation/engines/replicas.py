"""Several copies of a small model side by side, each in one process on one core of a CPU.

Large models want the opposite: all cores for one copy, which is what `in_process` starts.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from diversity_judge.errors import DiversityJudgeError, RunError
from generation import environment
from generation.engines.base import EngineInfo, Generation, GenerationRequest, SampleFailedError, Settings
from generation.engines.engine_log import EngineLog
from generation.engines.pooling import PoolingRequest, Rows, probe_failure
from generation.engines.replica import ENVIRONMENT, Reply, Request, Work, serve
from generation.engines.vllm_options import VLLMOptions, quiet_and_patient
from generation.engines.vllm_requests import rejection

_KILLED_IS_NO_DEFECT = "ignore::UserWarning:multiprocessing.resource_tracker"
"""What a replica that was killed still held is freed by multiprocessing's tracker, which would warn of it."""

NAME = "the engines on this CPU"
_SECONDS_TO_END = 5.0
_ROUNDS_AHEAD = 2
"""Rounds that a replica is given at a time: the next one is there when the first is done."""


class ReplicasEngine:
    """An `Engine` and a `PoolingEngine` of n replicas; the least busy one is asked, a round goes to the next free one.

    Args:
        options: What each replica is started with.
        n: Replicas; more than cores are of no use.
    """

    def __init__(self, options: VLLMOptions, n: int) -> None:
        self.max_model_len: int | None = None
        self._model = options.model
        self._log = EngineLog(options.log)
        self._replicas = [_Connected(options, core) for core in _cores(n)]
        self._free: asyncio.Queue[_Connected] = asyncio.Queue()
        self.rounds_at_once = n * _ROUNDS_AHEAD

    async def start(self) -> EngineInfo:
        """Start all replicas at the same time.

        Raises:
            RunError: vLLM does not start, or does not run on a CPU here.
            InputError: vLLM cannot be imported, or the model has no experts whose number could be set.
        """
        quiet_and_patient()
        self._log.begin()
        infos = await asyncio.gather(*(replica.start() for replica in self._replicas))
        for replica in self._replicas * _ROUNDS_AHEAD:
            self._free.put_nowait(replica)
        return infos[0]

    async def generate(self, request: GenerationRequest) -> Generation:
        """See `Engine.generate`."""
        reply = await self._reply(request)
        assert isinstance(reply, Generation)
        return reply

    async def rows(self, request: PoolingRequest) -> Rows:
        """See `PoolingEngine.rows`."""
        reply = await self._reply(request)
        assert not isinstance(reply, Generation)
        return reply

    async def rows_of_each(self, request: PoolingRequest) -> dict[str, Rows]:
        """See `PoolingEngine.rows_of_each`; the replicas are alike, so one is asked."""
        try:
            return {NAME: await self.rows(request)}
        except SampleFailedError as error:
            raise probe_failure(self._model, error) from error

    async def _reply(self, request: Request) -> Generation | Rows:
        replica = min(self._replicas, key=lambda replica: replica.n_in_flight)
        (reply,) = await replica.replies([request], with_empty_caches=False)
        if isinstance(reply, SampleFailedError):
            raise reply
        return reply

    async def generate_together(self, requests: Sequence[GenerationRequest]) -> list[Generation | SampleFailedError]:
        """See `Engine.generate_together`; each replica does its rounds one after the other."""
        replica = await self._free.get()
        try:
            replies = await replica.replies(requests, with_empty_caches=True)
        finally:
            self._free.put_nowait(replica)
        return [reply for reply in replies if isinstance(reply, (Generation, SampleFailedError))]

    async def rejections(self, extra_args: Settings) -> Mapping[str, str | None]:
        """See `Engine.rejections`; the replicas are alike, so one is asked."""
        return {NAME: await rejection(self, extra_args)}

    async def close(self) -> None:
        """End the replicas' processes."""
        for replica in self._replicas:
            replica.hang_up()
        deadline = time.monotonic() + _SECONDS_TO_END
        for replica in self._replicas:
            await asyncio.to_thread(replica.end, deadline)
        self._log.end(keep=any(replica.failed for replica in self._replicas))


class _Connected:
    """This end of one replica: its process, and the requests that it has not answered."""

    def __init__(self, options: VLLMOptions, core: int | None) -> None:
        self._options, self._core = options, core
        self._connection: Connection | None = None
        self._process: SpawnProcess | None = None
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._numbers = itertools.count()
        self._dead: DiversityJudgeError | None = None
        self._started: asyncio.Future[EngineInfo] | None = None
        self._is_ready = False

    @property
    def failed(self) -> bool:
        """Whether its engine did not start or died."""
        return self._dead is not None

    @property
    def n_in_flight(self) -> int:
        return len(self._waiting)

    async def start(self) -> EngineInfo:
        """Start the process and wait until its engine is ready."""
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._options, self._core), daemon=True)
        _start_tracker()
        with environment.changed(ENVIRONMENT):
            self._process.start()
        theirs.close()  # so that its end is noticed here
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        loop.add_reader(self._connection.fileno(), self._receive)
        return await self._started

    async def replies(self, requests: Sequence[Request], *, with_empty_caches: bool) -> list[Reply]:
        """Have requests answered, in their order.

        Raises:
            RunError: the replica has died.
        """
        if self._dead is not None or self._connection is None:
            raise self._dead or RunError("the engine was not started")
        loop = asyncio.get_running_loop()
        work = {next(self._numbers): request for request in requests}
        futures = {number: loop.create_future() for number in work}
        self._waiting |= futures
        try:
            self._connection.send(Work(work, with_empty_caches))
            return list(await asyncio.gather(*futures.values()))
        except OSError:
            raise self._die() from None
        finally:
            for number in futures:
                self._waiting.pop(number, None)

    def hang_up(self) -> None:
        """Close the connection, which ends the process."""
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            self._connection.close()
        self._connection = None

    def end(self, deadline: float) -> None:
        """Wait for the process to end until a moment of the monotonic clock; one that still starts holds nothing."""
        if self._process is not None:
            if self._is_ready:
                self._process.join(max(0.0, deadline - time.monotonic()))
            self._process.kill()
            self._process.join()
        self._process = None

    def _receive(self) -> None:
        assert self._connection is not None
        try:
            message = self._connection.recv()
        except (EOFError, OSError):
            self._die()
            return
        if isinstance(message, (EngineInfo, DiversityJudgeError)):
            self._tell_started(message)
        else:
            for number, reply in message:
                if (future := self._waiting.get(number)) is not None and not future.done():
                    future.set_result(reply)

    def _tell_started(self, message: EngineInfo | DiversityJudgeError) -> None:
        if self._started is None or self._started.done():  # it was interrupted while it started
            return
        if isinstance(message, EngineInfo):
            self._is_ready = True
            self._started.set_result(message)
        else:
            self._dead = message
            self._started.set_exception(message)

    def _die(self) -> RunError:
        """Note that the process is gone, and tell everybody who waits for it."""
        log = EngineLog(self._options.log)
        self._dead = error = log.failure("a replica of the vLLM engine died (a resume continues)")
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
        for future in (self._started, *self._waiting.values()):
            if future is not None and not future.done():
                future.set_exception(error)
        return error


def _cores(n: int) -> Sequence[int | None]:
    """A core for each of n replicas where all cores are taken; else none in particular, as others may run too."""
    allowed: list[int] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return allowed if n == len(allowed) else [None] * n


def _start_tracker() -> None:
    """Start the process that frees what killed processes held, and let it do so without a word."""
    warnings = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), _KILLED_IS_NO_DEFECT)))
    with environment.changed({"PYTHONWARNINGS": warnings}):
        resource_tracker.ensure_running()
