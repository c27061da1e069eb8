"""Processes that compute for this one, and end when it does, also when it is killed.

A scheduler says SIGTERM and then SIGKILL. Neither reaches what the killed process had started, which would go on
computing, and hold its memory, for nobody. So a child waits in a thread for the end of a pipe that its parent alone
holds open, and leaves:

    a function   multiprocessing's own pipe to a spawned process      `end_with_parent`
    a command    a pipe of ours; `python -m generation.children PIPE MODULE ...` runs the module     `command`

vLLM's processes, which are not started here, are ended by `engines.reaper`.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from typing import IO

_ORPHANED = 1
"""Exit code of a process that nobody waits for."""


def end_with_parent() -> None:
    """Have this process, which multiprocessing has spawned, end as soon as the one that started it is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this process was not started by multiprocessing"
    _end_with(parent.sentinel)


@contextmanager
def pool(n: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes for a block; an error or an interruption that leaves the block ends them at once.

    Args:
        n: Processes.
    """
    older = frozenset(multiprocessing.active_children())
    # Spawned: a fork of a process with threads can deadlock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n, mp_context=context, initializer=end_with_parent) as executor:
        try:
            yield executor
        except BaseException:  # Else the pool would wait for what is being computed.
            for process in frozenset(multiprocessing.active_children()) - older:
                process.terminate()
            raise


@contextmanager
def command(
    words: Sequence[str], *, changes: Mapping[str, str] | None = None, output: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A running `python -m` for a block; an error or an interruption that leaves the block ends it in order.

    Args:
        words: The module and its arguments.
        changes: Of its environment.
        output: What it prints goes there; None for where this process prints.
    """
    theirs, ours = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", __name__, str(theirs), *words],
            env=os.environ | (changes or {}),
            stdout=output,
            stderr=output and subprocess.STDOUT,
            pass_fds=(theirs,),
        )
        try:
            yield process
        except BaseException:
            process.terminate()
            process.wait()
            raise
    finally:
        os.close(theirs)
        os.close(ours)  # Who does not hear SIGTERM, or not yet, ends now.


def exit_code_of(words: Sequence[str]) -> int:
    """Run a command of this project until it ends; it prints where this process does.

    Args:
        words: The module and its arguments.
    """
    with command(words) as process:
        return process.wait()


def _end_with(pipe: int) -> None:
    def wait() -> None:
        connection.wait([pipe])
        os._exit(_ORPHANED)

    threading.Thread(target=wait, name="ends with its parent", daemon=True).start()


def _main() -> None:
    """Be the command that stands behind the pipe's number."""
    pipe = int(sys.argv[1])
    os.set_inheritable(pipe, False)
    _end_with(pipe)
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
