"""A program of this project in a process of its own, asked and answered in JSON lines within a time limit.

For work that may never end in code that no alarm interrupts: the process is killed, and another one started.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_CHUNK = 1 << 16


class WorkerTimeoutError(Exception):
    """The process did not take or answer a message in time."""


class WorkerDiedError(Exception):
    """The process ended, by itself or because it was killed."""


class WorkerProcess:
    """A running module; `send` and `receive` are for one thread, `kill` for any."""

    def __init__(self, module: str) -> None:
        """Start `python -m module`; it reads messages from its standard input and writes replies to its output.

        Not with multiprocessing: its spawn runs the caller's main module again, which notebooks don't have, and a
        fork of a process that runs an engine's threads can deadlock.
        """
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self._socket, theirs = socket.socketpair()
        self._received = bytearray()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this project's own module
                [sys.executable, "-m", module],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is for the command, which ends this process itself
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def send(self, message: Mapping[str, Any], deadline: float) -> None:
        """Send a message, however long; by `deadline` on the monotonic clock.

        Raises:
            WorkerTimeoutError: the process does not read it in time.
            WorkerDiedError: the process has ended.
        """
        self._within(deadline, lambda: self._socket.sendall(json.dumps(message).encode("ascii") + b"\n"))

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next reply.

        Raises:
            WorkerTimeoutError: it is not complete in time.
            WorkerDiedError: the process ended before.
        """
        seen = 0
        while (end := self._received.find(b"\n", seen)) < 0:
            seen = len(self._received)
            chunk = self._within(deadline, lambda: self._socket.recv(_CHUNK))
            if not chunk:
                raise WorkerDiedError
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        reply: dict[str, Any] = json.loads(line)
        return reply

    def kill(self) -> None:
        """End the process; who waits for its reply learns that it died."""
        self._process.kill()

    def close(self) -> None:
        """End the process and take back what it held."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _within(self, deadline: float, call: Callable[[], T]) -> T:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise WorkerTimeoutError
        self._socket.settimeout(seconds)
        try:
            return call()
        except TimeoutError:
            raise WorkerTimeoutError from None
        except OSError as error:
            raise WorkerDiedError from error
