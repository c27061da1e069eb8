"""Many workers and one keeper: what they finish is kept as it comes, also when an error or an interruption ends it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from diversity_judge.errors import RunError

T = TypeVar("T")

GIVE_UP_AFTER = 16
"""Stop when this many failed and none succeeded: something is wrong with all of them."""


async def work_and_keep(
    work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]],
    keep: Callable[[list[T]], Awaitable[None]],
    *,
    n_workers: int,
) -> None:
    """Let workers work side by side, and keep what they finish.

    Args:
        work: A worker; it calls what it is given with each thing that it has finished.
        keep: Keeps all that is finished at the moment, so that one sync serves them.
        n_workers: How many of them work.

    Raises:
        Exception: what a worker or `keep` raises ends all of them. What was finished before is kept.
    """
    finished: asyncio.Queue[T | None] = asyncio.Queue()

    async def keep_all() -> None:
        while (batch := await _drain(finished)) is not None:
            await keep(batch)

    keeper = asyncio.create_task(keep_all())
    workers = [asyncio.create_task(work(finished.put_nowait)) for _ in range(n_workers)]
    try:
        await _all_or_first_error([*workers, keeper], until=workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        # What was finished before an error or an interruption is kept too.
        finished.put_nowait(None)
        await keeper


def give_up_if_hopeless(n_succeeded: int, failures: Counter[str], what: str) -> None:
    """End a run in which nothing succeeds.

    Args:
        n_succeeded: So far.
        failures: Reasons and how often each occurred.
        what: That failed, in the plural.

    Raises:
        RunError: the first ones all failed; the message says why most of them did.
    """
    if n_succeeded == 0 and failures.total() >= GIVE_UP_AFTER:
        reason, _ = failures.most_common(1)[0]
        raise RunError(f"the first {GIVE_UP_AFTER} {what} all failed: {reason}")


async def _all_or_first_error(tasks: Sequence[asyncio.Task[None]], until: Sequence[asyncio.Task[None]]) -> None:
    """Wait for all tasks in `until`; an error in any of `tasks` ends the wait and is raised."""
    pending = set(tasks)
    while any(not task.done() for task in until):
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    for task in until:
        task.result()


async def _drain(
    queue: asyncio.Queue[T | None],
) -> list[T] | None:
    """Wait for an item and take all that are there, so that one sync serves them; None at the end."""
    item = await queue.get()
    batch: list[T] = []
    while item is not None:
        batch.append(item)
        if queue.empty():
            return batch
        item = queue.get_nowait()
    if batch:
        queue.put_nowait(None)  # the end is for the next call
        return batch
    return None
