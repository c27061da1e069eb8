"""The buyer: sends the calls that a plan needs, keeps what comes back, and knows when to stop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from diversity_judge.engine.budget import Budget
from diversity_judge.engine.endable import Endable
from diversity_judge.engine.limiter import AdaptiveLimiter, LimiterClosedError
from diversity_judge.engine.opening import Clock, Opening, utc_now
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.retry import UnusableReplyError, retrying
from diversity_judge.engine.schedule import PrefixSchedule, Ramp
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.errors import RunError
from diversity_judge.judges.base import CallError, FatalError, Judge, Reply, TransientError
from diversity_judge.ledger import Failure, Ledger
from diversity_judge.planning.question import Fault, Question
from diversity_judge.rubric import Missing

_FIRST_CALLS = 8
"""If so many judgments end before a single reply has come, the fault is not theirs and the run stops."""

_KEYS_A_CLAIM = 64
_OPEN_TASKS_PER_SLOT = 4
"""Judgments that wait to be asked again hold no slot; their number is bounded so that memory is."""

_POLL_OTHERS_S = 2.0
_POLL_CLOCK_S = 30.0
"""A machine that was asleep meanwhile looks at the clock again that soon."""


class _StoppedError(Exception):
    """No further call may be sent; the judgment stays wanted."""


@dataclass
class _Purchase:
    """The state of buying one judgment."""

    task: Question
    has_slot: bool = True
    calls: int = 0
    unusable: int = 0
    sent_at: datetime | None = None


class Buyer(Endable):
    """Buys judgments until the plan is done or something stops it.

    Args:
        judge: Who is asked.
        ledger: Where replies are kept before they are counted.
        options: Limits.
        tally: Counted in as things happen.
        estimated_cost_usd: Of one call, for the budget before any reply came.
        planned_at: The id of the newest reply in the ledger before the plan was held against it: what another run has
            bought since is not bought again. None: the newest now.
        opening: When calls may be sent; None: at any time.
        clock: What time it is: hosts may take less at some hours.
    """

    def __init__(
        self,
        judge: Judge,
        ledger: Ledger,
        options: EngineOptions,
        tally: Tally,
        *,
        estimated_cost_usd: float | None = None,
        planned_at: int | None = None,
        opening: Opening | None = None,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(tally)
        self._judge = judge
        self._ledger = ledger
        self._options = options
        self._opening = Opening(None) if opening is None else opening
        self._clock = clock
        self._limiter = AdaptiveLimiter(options.concurrency)
        self._budget = Budget(options, tally, estimated_cost_usd)
        self._schedule = PrefixSchedule(options.prefix_lead_s, stock=options.concurrency)
        self._ramp = Ramp(options.concurrency, options.ramp_s)
        self._open: set[asyncio.Task[None]] = set()
        self._held_elsewhere: deque[Question] = deque()
        self._planned_at = ledger.last_id() if planned_at is None else planned_at
        self._ended_before_contact = 0
        self._broken: BaseException | None = None

    async def run(self, work: Iterable[list[Question]]) -> Tally:
        """Buy the judgments of these bundles (tasks that share their first text); returns the tally.

        Where the ledger cannot be written any more, nothing is sent any more: the run ends as failed, with what is on
        disk.
        """
        bundles = iter(work)
        try:
            await self._send_all(bundles)
            while self._held_elsewhere and not self._stop.is_set():
                await self._take_over()
        except RunError as error:
            self._end(Ending.FAILED, str(error))
        finally:
            await self._finish_open()
        if self._broken is not None:
            raise self._broken
        self._count_unsent(bundles)
        return self._tally

    def _end(self, ending: Ending, message: str) -> None:
        super()._end(ending, message)
        self._limiter.close()

    async def _send_all(self, bundles: Iterator[list[Question]]) -> None:
        """Send until nothing is left or the run is stopped."""
        try:
            while True:
                await self._limiter.acquire()
                if (wait := self._ramp.wait_s(asyncio.get_running_loop().time())) > 0:
                    await self._sleep(wait)
                await self._wait_for_the_opening()
                task = await self._next_task(bundles)
                if task is None:
                    self._limiter.release()
                    return
                buying = asyncio.create_task(self._buy(_Purchase(task)))
                self._open.add(buying)
                buying.add_done_callback(self._closed)
                if len(self._open) >= _OPEN_TASKS_PER_SLOT * self._options.concurrency:
                    await _first(self._open, self._stop)
        except LimiterClosedError:
            return

    async def _wait_for_the_opening(self) -> None:
        while not self._stop.is_set() and (wait := self._opening.wait_s()) > 0:
            await self._sleep(min(wait, _POLL_CLOCK_S))

    def _closed(self, buying: asyncio.Task[None]) -> None:
        self._open.discard(buying)
        if not buying.cancelled() and (error := buying.exception()) is not None:
            self._tally.missing[Missing.FAILED] += 1
            if not isinstance(error, RunError):
                self._broken = self._broken or error
            self._end(Ending.FAILED, str(error))

    async def _next_task(self, bundles: Iterator[list[Question]]) -> Question | None:
        """The next task to send; waits for followers whose lead has not passed. None when nothing is left."""
        clock = asyncio.get_running_loop().time
        while not self._stop.is_set():
            while self._schedule.needs_bundles and await self._claim_more(bundles):
                pass  # All of these are another run's: there may be some for this one further on.
            task = self._schedule.next(clock())
            if task is not None:
                return task
            wait = self._schedule.wait_s(clock())
            if wait is None:
                return None
            await self._sleep(wait)
        return None

    async def _claim_more(self, bundles: Iterator[list[Question]]) -> bool:
        """Claim the next bundles in one transaction; what another run holds is left to it for now.

        Returns:
            Whether there was anything to claim.
        """
        taken: list[list[Question]] = []
        while sum(map(len, taken)) < _KEYS_A_CLAIM and (bundle := next(bundles, None)) is not None:
            taken.append(bundle)
        if not taken:
            return False
        keys = [task.key for bundle in taken for task in bundle]
        claim = await self._ledger.claim(keys, newer_than=self._planned_at)
        for bundle in taken:
            self._schedule.add([task for task in bundle if task.key in claim.granted])
            self._held_elsewhere.extend(task for task in bundle if task.key in claim.held)
        self._tally.reused += len(claim.answered)
        return True

    async def _take_over(self) -> None:
        """Look again at what other runs held: they have answered it, died, or are still at it."""
        held = list(self._held_elsewhere)
        self._held_elsewhere.clear()
        self._tally.trouble = f"waiting for {len(held)} judgments that another run has in flight"
        await self._send_all(iter([held]))
        if self._held_elsewhere:
            await self._sleep(_POLL_OTHERS_S)

    async def _buy(self, purchase: _Purchase) -> None:
        """Buy one judgment; the slot for its first call is already taken."""
        policy = retrying(self._options, sleep=self._sleep, has_contact=lambda: self._tally.replies > 0)
        try:
            async for attempt in policy:
                with attempt:
                    await self._ask(purchase)
            self._tally.scored += 1
        except (_StoppedError, LimiterClosedError):
            self._tally.missing[self._tally.ending.value] += 1
        except CallError as error:
            await self._give_up(purchase, error)

    async def _ask(self, purchase: _Purchase) -> None:
        """One call, in flight until its reply is on disk, in a slot that is given back before any wait.

        So a kill loses at most as many answers as there are slots, and the budget overlooks none that is being written.
        """
        if not purchase.has_slot:
            await self._limiter.acquire()
            await self._wait_for_the_opening()
        purchase.has_slot = False
        calls_before = purchase.calls
        try:
            reply = await self._send(purchase)
            await self._keep(purchase, reply)
        finally:
            self._tally.in_flight -= purchase.calls - calls_before
            self._limiter.release()

    async def _send(self, purchase: _Purchase) -> Reply:
        generation = self._limiter.generation
        self._check_that_a_call_may_be_sent()
        self._tally.calls += 1
        self._tally.in_flight += 1
        purchase.calls += 1
        purchase.sent_at = self._clock()
        try:
            reply = await self._judge.ask(purchase.task)
        except TransientError as error:
            self._tally.trouble = f"{error.reason}: {error}"
            if error.overloaded:
                self._limiter.overloaded(generation)
            raise
        self._limiter.succeeded()
        return reply

    def _check_that_a_call_may_be_sent(self) -> None:
        if self._stop.is_set():
            raise _StoppedError
        if (refusal := self._budget.refusal()) is not None:
            self._end(Ending.BUDGET, refusal)
            raise _StoppedError

    async def _keep(self, purchase: _Purchase, reply: Reply) -> None:
        """Commit a reply, then count it. Raises UnusableReplyError when it is no answer."""
        fault = purchase.task.fault_of(reply.content, reply.finish_reason)
        spec = self._judge.spec
        cost = None
        if spec.prices is not None and reply.prompt_tokens is not None and reply.completion_tokens is not None:
            cost = spec.prices.cost(
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                cached_tokens=reply.cached_tokens or 0,
            ) * self._price_share(purchase)
        await self._ledger.add_reply(
            purchase.task.key,
            reply,
            is_last=fault is None,
            cost_usd=cost,
            host=spec.host,
            attempt=purchase.calls,
            output_limit=spec.output_limit,
        )
        self._tally.count_reply(reply, cost)
        if fault is not None:
            purchase.unusable += 1
            self._tally.trouble = f"{fault.reason}: {reply.content[-80:]!r}"
            raise UnusableReplyError(fault.reason, self._explain(fault), count=purchase.unusable)

    def _price_share(self, purchase: _Purchase) -> float:
        """Of the price: less than all of it where the host's cheap hours held the call from its sending to its end."""
        hours = self._judge.spec.off_peak
        return 1.0 if hours is None or purchase.sent_at is None else hours.share(purchase.sent_at, self._clock())

    def _explain(self, fault: Fault) -> str:
        if fault.reason == Missing.TRUNCATED:
            limit = self._judge.spec.output_limit
            return f"the reply was cut at {self._judge.spec.limit_parameter} {limit or '(set by the host)'}: raise it"
        return fault.message

    async def _give_up(self, purchase: _Purchase, error: CallError) -> None:
        """Decide first whether the run goes on: while the failure is written, the next call would be sent."""
        self._tally.missing[error.reason] += 1
        if isinstance(error, FatalError):
            self._end(Ending.FAILED, str(error))
        elif self._tally.replies == 0:
            self._ended_before_contact += 1
            if self._ended_before_contact >= _FIRST_CALLS:
                self._end(Ending.FAILED, f"the first {_FIRST_CALLS} judgments all ended without a reply: {error}")
        try:
            await self._ledger.give_up(purchase.task.key, Failure(error.reason, str(error), purchase.calls))
        except RunError as broken:  # The judgment is counted already.
            self._end(Ending.FAILED, str(broken))

    async def _finish_open(self) -> None:
        """Let what is in flight end: it is paid for. After an interrupt only for the grace."""
        while self._open and not self._interrupted.is_set():
            await _first(self._open, self._interrupted)
        if self._open:
            await asyncio.wait(self._open, timeout=self._options.grace_s)
        for buying in list(self._open):
            buying.cancel()
            self._tally.missing[Ending.INTERRUPTED.value] += 1
        await asyncio.gather(*self._open, return_exceptions=True)

    def _count_unsent(self, bundles: Iterator[list[Question]]) -> None:
        unsent = sum(1 for _ in self._schedule.drain()) + len(self._held_elsewhere) + sum(map(len, bundles))
        if unsent:
            self._tally.missing[self._tally.ending.value] += unsent


async def _first(tasks: set[asyncio.Task[None]], event: asyncio.Event) -> None:
    """Wait until one of the tasks has ended or the event is set."""
    signal = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({*tasks, signal}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        signal.cancel()
