"""What `python -m generation.counterfactual` says on the console while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from generation.routing_study.trajectories import Trajectories


def say(console: Console, text: str) -> None:
    """One plain paragraph."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def say_what_is_read(console: Console, trajectories: Trajectories) -> None:
    """What is analysed, and what is left out and why."""
    say(console, "\n".join(trajectories.sentences()))


def tokens_progress(console: Console, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """A bar on a terminal; yields what is told of the tokens that are done."""
    return _progress(console, "tokens", total)


def replays_progress(console: Console, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """A bar on a terminal; yields what is told of the tokens that are replayed."""
    return _progress(console, "replays", total)


@contextmanager
def _progress(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda tokens: progress.update(task, advance=tokens)
