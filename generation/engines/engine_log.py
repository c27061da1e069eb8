"""What an engine says while it starts and dies: into a file, and of it one line for the reader.

vLLM prints the traceback of every process that an error passes through, a hundred lines for one wrong option, and what
it raises in this process says "see root cause above". So its processes write into a file, the error here is the last
cause in it with what to change, and it names the file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diversity_judge.errors import RunError

_EXCEPTION = re.compile(r"(?:^|\] |\) )(?P<cause>(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Refused|Exit): .+)$")
"""The last line of a traceback, with what a logger puts before it; errors have a name and say something."""

_POINTS_ELSEWHERE = re.compile(
    r"Engine core initialization failed|WorkerProc initialization failed|EngineCore encountered an issue"
    r"|root cause|stack trace (?:above|for)|SystemExit|KeyboardInterrupt",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_CAUSE = 600

_ADVICE = (
    (
        r"KV cache|kv cache|max_model_len|max seq len",
        "lower --max-model-len, or give the cache more room: --gpu-memory-utilization, on a CPU VLLM_CPU_KVCACHE_SPACE",
    ),
    (
        r"out of memory|Available memory|Free memory|cannot allocate|Cannot allocate",
        "end other programs, lower --max-model-len or --gpu-memory-utilization, or share the model by "
        "--tensor-parallel-size",
    ),
    (r"trust_remote_code|trust-remote-code", "if you trust the model's code: --trust-remote-code"),
    (
        r"not a valid model identifier|Repo id must|RepositoryNotFound|does not appear to have a file|"
        r"Invalid repository ID|No such file or directory|config\.json|local_files_only",
        "see --model: a folder with config.json, or a model on the hub",
    ),
    (r"gated|401 Client|403 Client", "log in to the hub (hf auth login) and accept the model's licence there"),
    (r"World size|CUDA devices|available GPUs|tensor parallel", "see --tensor-parallel-size and its like"),
    (r"bfloat16|Bfloat16|dtype", "see --dtype"),
)


class EngineLog:
    """The file that an engine's processes write into.

    Args:
        path: Where it is; begun anew. None leaves their output where it would go.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def begin(self) -> None:
        """Empty the file."""
        if self.path is not None:
            with suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.write_bytes(b"")

    @contextmanager
    def taking_output(self) -> Iterator[None]:
        """Processes that are started in the block write their output into the file, for as long as they live.

        What this process itself prints in the meantime goes there too, as it is one file descriptor for both.
        """
        if self.path is None:
            yield
            return
        _flush()
        kept = {number: os.dup(number) for number in (1, 2)}
        try:
            self.take_over()
            yield
        finally:
            _flush()
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)

    def take_over(self) -> None:
        """Send all output of this process into the file from now on."""
        if self.path is None:
            return
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise RunError(f"{self.path}: cannot write the engine's log: {error}") from error
        for number in (1, 2):
            os.dup2(file, number)
        os.close(file)

    def failure(self, what: str, raised: BaseException | None = None) -> RunError:
        """An error of one line: what happened, its last cause, what to change, and where the rest is.

        Args:
            what: What happened, as the beginning of a sentence.
            raised: What was raised in this process; where it only points to another cause, that is in the file.
        """
        said = "" if raised is None else _one_line(f"{type(raised).__name__}: {raised}")
        cause = said if said and not _POINTS_ELSEWHERE.search(said) else last_cause(self._text()) or said
        parts = [f"{what}: {cause.rstrip('.')}" if cause else what, advice(cause)]
        parts.append(f"all that vLLM said is in {self.path}" if self._text() else "")
        return RunError("; ".join(filter(None, parts)))

    def end(self, *, keep: bool) -> None:
        """Take the file away where it has served: after a run without an error, or when nothing was written."""
        if self.path is not None and not (keep and self._text()):
            with suppress(OSError):
                self.path.unlink()

    def _text(self) -> str:
        if self.path is None:
            return ""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def last_cause(text: str) -> str | None:
    """The last line of the log that is an error with a message and does not point to another one."""
    for line in reversed(_COLOUR.sub("", text).splitlines()):
        found = _EXCEPTION.search(line)
        if found is not None and not _POINTS_ELSEWHERE.search(line):
            return _one_line(found["cause"])
    return None


def advice(cause: str) -> str:
    """What to change, where that can be said."""
    return next((remedy for pattern, remedy in _ADVICE if re.search(pattern, cause)), "")


def _one_line(text: str) -> str:
    line = " ".join(text.partition(" [type=")[0].split())  # pydantic's way to say where the value came from
    return line if len(line) <= _LONGEST_CAUSE else f"{line[:_LONGEST_CAUSE]} ..."


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
