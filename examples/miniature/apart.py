"""A function in a process of its own, with its arguments as they are: for what must run beside something else.

Two event loops that each answer to Ctrl-C, or an engine that lives in its process and cannot be taken out of it again.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from diversity_judge.command import exit_code
from generation.engines.vllm_processes import end_quickly
from generation.interrupts import signals_interrupt


class Apart:
    """The processes that run beside this one."""

    def __init__(self) -> None:
        self._running: set[BaseProcess] = set()

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
            self._running.add(process)
            try:
                process.join()
            except BaseException:  # Else Python would wait at its own end for a child that nobody told to end.
                process.terminate()
                process.join()
                raise
            finally:
                self._running.discard(process)
            output.seek(0)
            return process.exitcode or 0, output.read().decode(errors="replace")

    def stop(self) -> None:
        """Interrupt all that run; each ends in order."""
        for process in list(self._running):
            process.terminate()


def _call(place: str | None, function: Callable[..., int], arguments: tuple[object, ...]) -> None:
    if place is not None:
        file = os.open(place, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
    with signals_interrupt():
        code = exit_code(lambda: function(*arguments), when_interrupted="interrupted; the same command continues")
    if code == 0:
        end_quickly()
    sys.exit(code)
