"""One buying session: an event loop, a judge, and a person who may press Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from rich.console import Console
from rich.text import Text

from diversity_judge.engine.bill import Bill
from diversity_judge.engine.buyer import Buyer
from diversity_judge.engine.computer import Computer
from diversity_judge.engine.endable import Endable
from diversity_judge.engine.opening import Opening
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.progress import progress_of
from diversity_judge.engine.schedule import bundles
from diversity_judge.engine.spending import check_spending, price_share
from diversity_judge.engine.tally import Tally
from diversity_judge.engine.workload import Workload
from diversity_judge.hosts.descriptors import fitting_concurrency
from diversity_judge.interrupts import handled_by
from diversity_judge.judges.base import EmbeddedJudge, Judge
from diversity_judge.ledger import Ledger


def buy(
    workload: Workload,
    judge: Judge,
    ledger: Ledger,
    options: EngineOptions,
    console: Console,
    *,
    asked_about: Bill | None = None,
    before: Tally | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Tally:
    """Buy judgments and show how it goes. The first Ctrl-C, SIGTERM or SIGHUP ends it in order.

    Args:
        workload: The calls that are needed.
        judge: Who is asked; closed afterwards.
        ledger: Where replies are kept.
        options: Limits.
        console: For progress, where it is a terminal.
        asked_about: What the user has to agree to, where this is the first part of it; None: the workload's bill.
        before: What was bought first, where this is the second part: it goes on, with its limits, and nobody is asked
            again.
        meanwhile: What can be made ready while replies are awaited: called in a thread once the first calls are out.

    Returns:
        What was done, and how it ended.

    Raises:
        InputError: the bill is above the sum that is asked about, and nobody said yes; nothing was sent.
        asyncio.CancelledError: a second Ctrl-C.
    """
    begun: Future[tuple[asyncio.AbstractEventLoop, Endable]] = Future()

    if before is None:
        check_spending(asked_about or workload.bill, options, judge.spec)
    tally = Tally() if before is None else before
    tally.go_on_with(workload.bill)
    options = _within_descriptors(options, judge, console)

    async def session() -> Tally:
        opening = _opening(judge, options, console)
        work, running = _begin(workload, judge, ledger, options, tally, opening)
        loop = asyncio.get_running_loop()
        begun.set_result((loop, work))
        if meanwhile is not None:
            loop.call_later(options.ramp_s, loop.run_in_executor, None, meanwhile)
        try:
            with _signals(work, console, options.grace_s), progress_of(tally, console):
                return await running
        finally:
            await judge.aclose()

    if not _is_inside_a_loop():
        return asyncio.run(session())
    with ThreadPoolExecutor(1) as thread:
        buying = thread.submit(asyncio.run, session())
        try:
            return buying.result()
        except KeyboardInterrupt:
            loop, work = begun.result()
            loop.call_soon_threadsafe(work.interrupt)
            return buying.result()


def _begin(
    workload: Workload, judge: Judge, ledger: Ledger, options: EngineOptions, tally: Tally, opening: Opening
) -> tuple[Endable, Coroutine[Any, Any, Tally]]:
    """The work, and what it comes to: a judge that is part of this package computes, others are bought from."""
    if judge.spec.is_embedded:
        computer = Computer(cast(EmbeddedJudge, judge), ledger, options, tally, planned_at=workload.planned_at)
        return computer, computer.run(workload.tasks(judge))
    a_call = workload.bill.cost_of_a_call_usd
    buyer = Buyer(
        judge,
        ledger,
        options,
        tally,
        estimated_cost_usd=None if a_call is None else a_call * price_share(judge.spec, options),
        planned_at=workload.planned_at,
        opening=opening,
    )
    return buyer, buyer.run(bundles(workload.tasks(judge)))


def _opening(judge: Judge, options: EngineOptions, console: Console) -> Opening:
    hours = judge.spec.off_peak if options.when == "cheap" else None
    return Opening(hours, say=lambda said: console.print(Text(said)))


def _within_descriptors(options: EngineOptions, judge: Judge, console: Console) -> EngineOptions:
    """Fewer calls at a time where the limit on open files allows no more; said before anything is sent."""
    if judge.spec.is_embedded:
        return options
    concurrency, note = fitting_concurrency(options.concurrency)
    if note:
        console.print(Text(f"note: {note}"))
    return replace(options, concurrency=concurrency)


def _is_inside_a_loop() -> bool:
    """Whether the caller is a notebook or another program with an event loop in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _signals(work: Endable, console: Console, grace_s: float) -> Iterator[None]:
    running = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if work.is_interrupted and running is not None:
            running.cancel()
            return
        console.print(Text(f"stopping: calls in flight get {grace_s:g} s; press Ctrl-C again to stop at once"))
        work.interrupt()

    # Only the main thread gets signals; in a notebook `buy` waits there and hears them.
    with handled_by(lambda number, frame: loop.call_soon_threadsafe(on_signal)):
        yield
