"""Run a command, and have it send itself a signal at a moment that a test names: deterministic where a sleep is not.

    python -m tests.diversity_judge.interrupted_at SIGTERM import:pandas diversity_judge.score responses.jsonl ...
    python -m tests.diversity_judge.interrupted_at SIGHUP call:diversity_judge.files:_to_disk:2 diversity_judge.score

The moment is the import of a module, or the n-th call of a function.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any


class AtImport:
    """A finder that finds nothing, and does something when somebody looks for a module for the first time."""

    def __init__(self, name: str, action: Callable[[], object]) -> None:
        self.name, self.action = name, action

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == self.name:
            self.name = ""
            self.action()
        return None


class AtCall:
    """A profiler that sends the signal when a function is called for the n-th time."""

    def __init__(self, module: str, function: str, n: int, action: Callable[[], object]) -> None:
        self.place, self.left, self.action = (module, function), n, action

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and (frame.f_globals.get("__name__"), frame.f_code.co_name) == self.place:
            self.left -= 1
            if self.left == 0:
                sys.setprofile(None)
                self.action()


def main() -> None:
    number, (kind, *moment), module = signal.Signals[sys.argv[1]], sys.argv[2].split(":"), sys.argv[3]
    sys.argv = sys.argv[3:]
    send = partial(os.kill, os.getpid(), number)
    # A profiler slows everything down, so it begins with the import of the function's module.
    watch = AtCall(moment[0], moment[1], int(moment[2]), send) if kind == "call" else None
    sys.meta_path.insert(0, AtImport(moment[0], partial(sys.setprofile, watch) if watch else send))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
