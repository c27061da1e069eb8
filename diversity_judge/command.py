"""What every command does around its work: a console for its tables, errors in one line, the contract's exit codes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from diversity_judge.errors import DiversityJudgeError

EXIT_INTERRUPTED = 130


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
        when_interrupted: What is said on Ctrl-C.
    """
    errors = Console(stderr=True, soft_wrap=True)
    try:
        return work()
    except DiversityJudgeError as error:
        errors.print(Text(f"error: {error}"))
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print(Text(when_interrupted))
        return EXIT_INTERRUPTED
