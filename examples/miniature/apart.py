"""A function or a command in a process of its own: for what must run beside something else.

Two event loops that each answer to Ctrl-C, or an engine that lives in its process and cannot be taken out of it again.
All of them can be told to stop, and none outlives this process.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from diversity_judge.command import exit_code
from generation import children
from generation.engines.vllm_processes import end_quickly
from generation.interrupts import signals_interrupt


class Apart:
    """The processes that run beside this one."""

    def __init__(self) -> None:
        self._running: set[BaseProcess | subprocess.Popen[bytes]] = set()
        self._is_over = False

    def run(self, function: Callable[..., int], *arguments: object, shown: bool) -> tuple[int, str]:
        """Call a function in a new process and wait for it.

        Args:
            function: One that a module holds; returns an exit code. Its errors become one line and a code.
            arguments: What can be pickled.
            shown: Whether what it prints is printed; else it is returned.

        Returns:
            The exit code, and what was printed.
        """
        # Spawned: a fork of a process with threads can deadlock.
        with tempfile.NamedTemporaryFile() as output:
            place = None if shown else output.name
            process = multiprocessing.get_context("spawn").Process(target=_call, args=(place, function, arguments))
            process.start()
            with self._counted(process):
                try:
                    process.join()
                except BaseException:  # Else Python would wait at its own end for a child that nobody told to end.
                    process.terminate()
                    process.join()
                    raise
            output.seek(0)
            return process.exitcode or 0, output.read().decode(errors="replace")

    def command(self, words: Sequence[str], *, changes: Mapping[str, str], shown: bool) -> tuple[int, str]:
        """Run a command of this project and wait for it.

        Args:
            words: Its module and arguments.
            changes: Of its environment.
            shown: Whether what it prints is printed; else it is returned.

        Returns:
            The exit code, and what was printed.
        """
        with tempfile.NamedTemporaryFile() as output:
            running = children.command(words, changes=changes, output=None if shown else output)
            with running as process, self._counted(process):
                code = process.wait()
            output.seek(0)
            return code, output.read().decode(errors="replace")

    def stop(self) -> None:
        """Interrupt all that run, and what would be started still; each ends in order."""
        self._is_over = True
        for process in list(self._running):
            process.terminate()

    @contextmanager
    def _counted(self, process: BaseProcess | subprocess.Popen[bytes]) -> Iterator[None]:
        """A block in which a process is one of those that `stop` interrupts."""
        self._running.add(process)
        try:
            if self._is_over:  # It was started while the others were told.
                process.terminate()
            yield
        finally:
            self._running.discard(process)


def _call(place: str | None, function: Callable[..., int], arguments: tuple[object, ...]) -> None:
    children.end_with_parent()
    if place is not None:
        file = os.open(place, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
    with signals_interrupt():
        code = exit_code(lambda: function(*arguments), when_interrupted="interrupted; the same command continues")
    if code == 0:
        end_quickly()
    sys.exit(code)
