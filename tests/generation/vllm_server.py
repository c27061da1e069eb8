"""A real vLLM server on loopback, and waiting for programs that tell nobody when they are ready."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING"}


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Look again and again; the test's own timeout is the limit."""
    while not condition():
        assert process.poll() is None, f"the process ended before its time:\n{log.read_text()[-3000:]}"
        threading.Event().wait(0.1)


def answers(url: str) -> bool:
    """Whether somebody answers there that all is well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def vllm_serving(model: Path, options: Sequence[str], log_path: Path) -> Iterator[str]:
    """The base URL of a server of a model that runs in the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What `vllm serve` runs. The CPU wheel of 0.32 lacks the metadata that its command line looks up.
    vllm = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    # A seeded request that is prefilled in parts kills vLLM 0.32 on a CPU.
    address = ["--port", str(port), "--host", "127.0.0.1", "--no-enable-chunked-prefill"]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*vllm, *address, *options], env=os.environ | ENVIRONMENT, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), process, log_path)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
