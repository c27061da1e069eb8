"""A signal while an engine starts in this process: its processes end at once, and so does the start.

vLLM swallows a `KeyboardInterrupt` where it waits for the engine core (`zmq_socket_ctx` in 0.32), and the core obeys no
signal before its model is loaded, which can take minutes. So what goes through vLLM is no `KeyboardInterrupt` until it
has left it, and the processes that the start has begun are killed: they hold nothing yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from types import FrameType

from diversity_judge.interrupts import handled_by


class _StartInterruptedError(BaseException):
    """What a signal raises in the block, and nobody in it catches by name."""


@contextmanager
def start_ends_with_signals() -> Iterator[None]:
    """A block in which a signal kills the processes that were started in it, and ends it.

    Raises:
        KeyboardInterrupt: there was a signal, whatever has become of it in the block.
    """
    import psutil

    # It tidies up after killed processes, and goes when this one does.
    resource_tracker.ensure_running()
    older = frozenset(psutil.Process().children(recursive=True))
    interrupted = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        for process in psutil.Process().children(recursive=True):
            if process not in older:
                with suppress(psutil.Error):
                    process.kill()
        raise _StartInterruptedError

    try:
        with handled_by(on_signal):
            yield
    except BaseException as error:
        if interrupted:
            raise KeyboardInterrupt from error
        raise
    if interrupted:
        raise KeyboardInterrupt
