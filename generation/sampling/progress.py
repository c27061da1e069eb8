"""Progress of a run on a terminal: samples done, tokens a second, time left. Silent where nobody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from generation.sampling.sampler import OnResponse


@contextmanager
def sampling_progress(console: Console, total: int, what: str = "sampling") -> Iterator[OnResponse]:
    """Show progress while the block runs; yields what to call after each response (its tokens, None if it failed)."""
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:,.0f} tokens/s"),
        TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total, speed=0.0, failed="")
        started = time.monotonic()
        tokens = failed = 0

        def on_response(n_tokens: int | None) -> None:
            nonlocal tokens, failed
            tokens += n_tokens or 0
            failed += n_tokens is None
            speed = tokens / max(time.monotonic() - started, 1e-9)
            progress.update(task, advance=1, speed=speed, failed=f"{failed} failed" if failed else "")

        yield on_response
