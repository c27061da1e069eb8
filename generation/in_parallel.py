"""Many workers and one writer: the two waits that whoever runs them needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


async def all_or_first_error(tasks: Sequence[asyncio.Task[None]], until: Sequence[asyncio.Task[None]]) -> None:
    """Wait for all tasks in `until`; an error in any of `tasks` ends the wait and is raised."""
    pending = set(tasks)
    while any(not task.done() for task in until):
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    for task in until:
        task.result()


async def drain(
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
