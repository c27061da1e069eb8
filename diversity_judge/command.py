"""What every command does around its work: a console for its tables, errors in one line, the contract's exit codes."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.text import Text

from diversity_judge.errors import DiversityJudgeError, InputError, RunError
from diversity_judge.interrupts import EXIT_INTERRUPTED
from diversity_judge.text_safety import printable


def output_console(*, quiet: bool, plain_width: int) -> Console:
    """Where a command prints its tables.

    Args:
        quiet: Print nothing.
        plain_width: Columns of the tables where no terminal says how wide it is.
    """
    console = Console(quiet=quiet)
    return console if console.is_terminal else Console(quiet=quiet, width=plain_width)


def exit_code(work: Callable[[], int], *, when_interrupted: str) -> int:
    """Do a command's work; its errors become one line on standard error.

    Args:
        work: Returns the exit code where nothing goes wrong.
        when_interrupted: What is said on Ctrl-C, SIGTERM and SIGHUP.
    """
    errors = Console(stderr=True, soft_wrap=True)
    try:
        return work()
    except DiversityJudgeError as error:
        errors.print(Text(f"error: {error}"))
        return error.exit_code
    except OSError as error:  # A disk that is full or gone, when nothing better could be said where it was met.
        errors.print(Text(f"error: {printable(str(error))}"))
        return RunError.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print(Text(when_interrupted))
        return EXIT_INTERRUPTED


def meant(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'seed'?` where a known name is close to this one, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def refuse_unknown_options(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse the keyword options of a Python function that it does not have.

    Raises:
        InputError: there is one; the message says which was meant, or lists those that exist.
    """
    known = list(known)
    for name in given:
        if name not in known:
            hint = meant(name, known) or f"; there are {', '.join(sorted(known))}"
            raise InputError(f"there is no option {printable(repr(name), 60)}{hint}")
