"""End the engine's processes when this one is killed, at whatever moment.

vLLM's engine core and workers outlive a killed parent and keep the GPU's memory, so that the resumed run could not
start. A small process holds the read end of a pipe; when the pipe closes without a farewell, this process is gone, and
the small one kills what it left behind. It knows them by a mark in the environment that they were started with, as a
killed process tells nobody which children it has just begun.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from generation import environment

_MARK = "DIVERSITY_JUDGE_ENGINE_OF"
_KEEP_ENVIRONMENT = "SPT_NOENV"
"""Has setproctitle, by which vLLM names its processes, leave the memory alone in which the mark can be read."""

_WATCH = """
import os, sys
import psutil
name, mark = sys.argv[1:]
if sys.stdin.readline().strip() == "done":
    sys.exit()
killed = True
while killed:  # one that was killed may just have started another
    killed = False
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(name) == mark:
                if process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()
                    process.wait(10)
                    killed = True
        except psutil.Error:
            pass
"""


class Reaper:
    """Watches this process on behalf of whoever resumes."""

    def __init__(self) -> None:
        self._watcher: subprocess.Popen[str] | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A block whose child processes, and theirs, are killed when this process is gone, until `close`."""
        mark = uuid.uuid4().hex
        self._watcher = subprocess.Popen(  # noqa: S603 - a fixed program
            [sys.executable, "-c", _WATCH, _MARK, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        with environment.changed({_MARK: mark, _KEEP_ENVIRONMENT: "1"}):
            yield

    def close(self) -> None:
        """Say farewell: the children were ended properly."""
        if self._watcher is not None and self._watcher.stdin is not None:
            try:
                self._watcher.stdin.write("done\n")
                self._watcher.stdin.flush()
            except OSError:  # the watcher was killed; it guards nothing any more
                pass
        self.reap()

    def reap(self) -> None:
        """Have the children killed now."""
        if self._watcher is not None:
            self._watcher.communicate()
        self._watcher = None
