"""Heat maps drawn by other processes, which never touch a file: they send a picture back, and it is written here.

    here: one thread a worker  --groups-->  `python -m diversity_judge.drawing.worker`  --PNG-->  here: written whole

So a kill leaves no process that writes into a folder that is somebody else's by then: a worker ends when the pipe to it
does. It does not hear the terminal's Ctrl-C, which ends it from here.
"""

from __future__ import annotations

import os
import pickle
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from diversity_judge.drawing.axes import write_picture
from diversity_judge.drawing.heatmaps import Heatmap, png_of

_MOST_WORKERS = 8
_LENGTH = struct.Struct("<Q")


def drawn_elsewhere(files: Mapping[Path, Sequence[Heatmap]], *, judge: str) -> None:
    """Draw figures in as many processes as there are processors, and write them.

    Args:
        files: Where to, and the groups of one problem.
        judge: How the judge is named below the pictures.

    Raises:
        OSError: A file can't be written.
        ValueError: As `heatmaps.problem_heatmaps`.
    """
    is_over = threading.Event()
    with ExitStack() as opened:
        free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        n_workers = min(_MOST_WORKERS, len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)
        threads = opened.enter_context(ThreadPoolExecutor(n_workers))
        for _ in range(n_workers):
            free.put(opened.enter_context(_Worker()))

        def draw(path: Path, shown: Sequence[Heatmap]) -> None:
            worker = free.get()
            try:
                png = worker.draw(shown, judge)
            finally:
                free.put(worker)
            if not is_over.is_set():
                # A worker that was killed, for its memory say, is no reason for a picture to be missing.
                write_picture(path, png or png_of(shown, judge=judge))

        drawing = [threads.submit(draw, path, shown) for path, shown in files.items()]
        try:
            for drawn in drawing:
                drawn.result()
        finally:
            is_over.set()
            threads.shutdown(wait=False, cancel_futures=True)


class _Worker:
    """One process; leaving its block ends it at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "diversity_judge.drawing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )

    def __enter__(self) -> _Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # What was on its way to it is lost with it.
                    stream.close()

    def draw(self, shown: Sequence[Heatmap], judge: str) -> bytes:
        """The figure's PNG; nothing where the process has ended or could not draw it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            send(self._process.stdin, pickle.dumps((shown, judge)))
            return receive(self._process.stdout) or b""
        except (OSError, ValueError):
            return b""


def send(stream: IO[bytes], message: bytes) -> None:
    """Write bytes with their length before them."""
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """What was sent; None where the other side has ended."""
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    message = stream.read(_LENGTH.unpack(length)[0])
    return message if len(message) == _LENGTH.unpack(length)[0] else None
