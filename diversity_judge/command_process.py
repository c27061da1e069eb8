"""What the process of a command does around its module, which takes a second to import.

    fits this system? -> standard streams -> signals heard -> import the command -> its `main` -> exit code

A verb file hands itself over before its own imports, so that Ctrl-C ends in a sentence while they run, too. Nothing
here is for use from Python: there the streams and the signals are those of the caller.
"""

from __future__ import annotations

import atexit
import io
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from diversity_judge.errors import RunError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_EXIT_UNFIT = 2

_PARSERS = {
    "diversity_judge.score": "diversity_judge.scoring.arguments",
    "diversity_judge.compare": "diversity_judge.comparing.arguments",
    "diversity_judge.agree": "diversity_judge.agreeing.arguments",
    "diversity_judge.labels": "diversity_judge.labelling.arguments",
    "diversity_judge.panel": "diversity_judge.pooling.arguments",
    "diversity_judge.reliability": "diversity_judge.probing.arguments",
    "diversity_judge.batch": "diversity_judge.batching.arguments",
    "diversity_judge.plan": "diversity_judge.budgeting.arguments",
}
"""Command to the module whose `parser` knows its help, and imports little: who asks for help waits for nothing else."""

_SCRIPT = "diversity-judge"
_STOPPED_EARLY = b"stopped while starting; nothing was sent and nothing written\n"


def run_as_process(module: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Import a command and run its `main`, as the whole of this process.

    Args:
        module: The command's module, such as `diversity_judge.score`.
        arguments: Its arguments; None for those of the process.
    """
    if reason := _unfit():
        sys.stderr.write(f"error: {reason}\n")
        sys.exit(_EXIT_UNFIT)
    from diversity_judge.interrupts import EXIT_INTERRUPTED, hand_to, interrupt

    _take_streams()
    hand_to(partial(_end_at_once, EXIT_INTERRUPTED, _STOPPED_EARLY))
    wants_help = module in _PARSERS and not {"-h", "--help"}.isdisjoint(
        sys.argv[1:] if arguments is None else arguments
    )
    main = _help_of(_PARSERS[module]) if wants_help else import_module(module).main
    hand_to(interrupt)
    try:
        code = _code_of(main, arguments)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED  # A second one, while the first was being answered.
    # All is decided: who still sends a signal only hastens the end.
    hand_to(partial(_end_at_once, code, b""))
    if not _is_the_program(module):
        sys.exit(code)
    _leave(code)


def _is_the_program(module: str) -> bool:
    """Whether Python was started for this command, not for a program (a notebook, say) that runs it inside itself."""
    program = sys.modules["__main__"]
    spec = getattr(program, "__spec__", None)
    if spec is not None:
        return spec.name in (module, f"{__package__}.__main__")
    return os.path.basename(getattr(program, "__file__", None) or "") == _SCRIPT


def _help_of(parsers: str) -> Callable[[Sequence[str] | None], int]:
    """In place of a command's `main`: its parser alone, which ends with the help, or with what is wrong before it."""
    parser = import_module(parsers).parser()

    def show(arguments: Sequence[str] | None) -> int:
        parser.parse_args(arguments)
        return 0

    return show


def _unfit() -> str | None:
    """Why no command can run on this system, None where it can."""
    try:
        import fcntl  # noqa: F401
    except ImportError:
        return (
            f"diversity_judge runs on POSIX systems only (Linux, macOS, WSL): this Python ({sys.platform}) has"
            " neither their signals nor their file locks, which keep paid answers"
        )
    return None


def _code_of(main: Any, arguments: Sequence[str] | None) -> int:
    try:
        try:
            return int(main(arguments))
        except SystemExit as ended:  # argparse: --help, or a wrong option
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            sys.stdout.flush()
    except RunError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def _leave(code: int) -> NoReturn:
    """End as Python does, but for freeing every object one by one, which takes seconds where torch is loaded."""
    try:
        threading._shutdown()  # type: ignore[attr-defined] # waits for threads, as at Python's own end
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _end_at_once(code: int, sentence: bytes, number: int, frame: FrameType | None) -> None:
    """A signal handler: leave without unwinding, which an import that is half done would turn into other errors."""
    os.write(2, sentence)
    os._exit(code)


def _take_streams() -> None:
    """Let no console be the reason that a run fails: one that knows ASCII only, has left, or was never there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # The lowest free number, which no ledger must get.
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    encoding, by_line = "utf-8", False
    if sys.stdout is not None:
        sys.stdout.flush()
        encoding, by_line = sys.stdout.encoding, bool(sys.stdout.line_buffering)
    raw = _Output(1, "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=by_line
    )


class _Output(io.FileIO):
    """Standard output. A reader may leave, as `head` does: it has seen what it wanted, and the run goes on."""

    _is_lost = False

    def write(self, data: ReadableBuffer) -> int:
        """Write, or pass over, what is left to say.

        Raises:
            RunError: there is somebody, and it does not take it (a full disk); once.
        """
        if self._is_lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self._is_lost = True
            return memoryview(data).nbytes
        except OSError as error:
            self._is_lost = True
            raise RunError(f"standard output can't be written to: {error.strerror}") from error
