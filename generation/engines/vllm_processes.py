"""vLLM's processes end when their work is done, without being taken apart first.

A process that multiprocessing has forked leaves by `os._exit` once its target has returned. vLLM's are spawned, so each
ends like a whole Python program: with torch and vLLM loaded, freeing every object takes seconds of a core, of which
nobody has anything. And they wait for one another: the engine core for its workers, this process for the core. So
vLLM's targets are wrapped, for the time of a start. What vLLM itself does at an end (queues, process groups, caches) it
has done by then, and an error takes the usual way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import util
from typing import Any

_LAST = -(2**31)
"""Priority after everything that multiprocessing does at a process's end."""

_vllms_own: dict[str, Callable[..., None]] = {}
"""vLLM's targets by their names, in the process that has replaced them and in those that are forked from it."""


@contextmanager
def quick_to_end() -> Iterator[None]:
    """A block in which an engine core is started that ends when it is done, and so do its workers. Needs vLLM."""
    from vllm.v1.engine.core import EngineCoreProc

    with _replaced(EngineCoreProc, "run_engine_core", run_engine_core):
        yield


def run_engine_core(*args: Any, **kwargs: Any) -> None:
    """What vLLM's target of this name does, and then leave."""
    from vllm.v1.engine.core import EngineCoreProc
    from vllm.v1.executor.multiproc_executor import WorkerProc

    own = _vllms_own.get("run_engine_core", EngineCoreProc.run_engine_core)
    with _replaced(WorkerProc, "worker_main", worker_main):
        leave_after(own, *args, **kwargs)


def worker_main(*args: Any, **kwargs: Any) -> None:
    """What vLLM's target of this name does, and then leave."""
    from vllm.v1.executor.multiproc_executor import WorkerProc

    leave_after(_vllms_own.get("worker_main", WorkerProc.worker_main), *args, **kwargs)


def leave_after(work: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Do the work of a process that multiprocessing has started, and leave where it ends well."""
    try:
        work(*args, **kwargs)
    except SystemExit as ended:  # How vLLM's engine core ends when it is told to.
        if ended.code not in (None, 0):
            raise
    end_quickly()


def end_quickly() -> None:
    """Let this process, which multiprocessing has started, leave as soon as its target returns."""
    util.Finalize(None, _leave, exitpriority=_LAST)


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(0)


@contextmanager
def _replaced(owner: Any, name: str, ours: Callable[..., None]) -> Iterator[None]:
    own = getattr(owner, name, None)
    if own is None or own is ours:  # Another vLLM: its processes end as they do.
        yield
        return
    _vllms_own[name] = own
    setattr(owner, name, staticmethod(ours))
    try:
        yield
    finally:
        setattr(owner, name, staticmethod(own))
