"""Judgments that are computed here: by the batch, without slots, waits or a second try.

A judge that is part of this package answers at once and always the same. What costs time is then everything around an
answer, so many are claimed, computed and kept together. The rules of buying hold: a judgment that another run has in
hand is left to it, one is on disk before it is counted, and a limit or Ctrl-C ends the work between two batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from diversity_judge.engine.budget import Budget
from diversity_judge.engine.endable import Endable
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.errors import RunError
from diversity_judge.judges.base import EmbeddedJudge, Reply
from diversity_judge.ledger import Failure, Ledger
from diversity_judge.planning.question import Question

_AT_ONCE = 500
"""About the pairs of a group of 32."""

_POLL_OTHERS_S = 2.0


class Computer(Endable):
    """Computes judgments until the plan is done or something stops it.

    Args:
        judge: Who computes them.
        ledger: Where they are kept before they are counted.
        options: Limits.
        tally: Counted in as things happen.
        planned_at: The id of the newest reply in the ledger before the plan was held against it.
    """

    def __init__(
        self, judge: EmbeddedJudge, ledger: Ledger, options: EngineOptions, tally: Tally, *, planned_at: int
    ) -> None:
        super().__init__(tally)
        self._judge, self._ledger, self._options = judge, ledger, options
        self._budget = Budget(options, tally, None)
        self._planned_at = planned_at
        self._held_elsewhere: list[Question] = []

    async def run(self, work: Iterable[Question]) -> Tally:
        """Compute these judgments; returns the tally. Where the ledger cannot be written any more, the run failed."""
        tasks = iter(work)
        try:
            await self._compute_all(tasks)
            while self._held_elsewhere and not self._stop.is_set():
                await self._take_over()
        except RunError as error:
            self._end(Ending.FAILED, str(error))
        unsent = self._tally.wanted - self._tally.done
        if unsent > 0:
            self._tally.missing[self._tally.ending.value] += unsent
        return self._tally

    async def _take_over(self) -> None:
        """Look again at what other runs held: they have answered it, died, or are still at it."""
        held, self._held_elsewhere = self._held_elsewhere, []
        self._tally.trouble = f"waiting for {len(held)} judgments that another run has in flight"
        await self._compute_all(iter(held))
        if self._held_elsewhere:
            await self._sleep(_POLL_OTHERS_S)

    async def _compute_all(self, tasks: Iterator[Question]) -> None:
        while not self._stop.is_set() and (batch := list(islice(tasks, _AT_ONCE))):
            claim = await self._ledger.claim([task.key for task in batch], newer_than=self._planned_at)
            self._tally.reused += len(claim.answered)
            self._held_elsewhere += [task for task in batch if task.key in claim.held]
            granted = self._within_limits([task for task in batch if task.key in claim.granted])
            if granted:
                await self._keep(granted, self._judge.compute(granted))

    def _within_limits(self, tasks: list[Question]) -> list[Question]:
        """Those that the user's limits leave room for."""
        limit = self._options.max_calls
        fitting = tasks if limit is None else tasks[: max(0, limit - self._tally.calls)]
        self._tally.calls += len(fitting)
        if len(fitting) < len(tasks) and (refusal := self._budget.refusal()) is not None:
            self._end(Ending.BUDGET, refusal)
        return fitting

    async def _keep(self, tasks: list[Question], replies: list[Reply]) -> None:
        """Commit replies, then count them; those without a score are noted as such."""
        faults = [task.fault_of(one.content, one.finish_reason) for task, one in zip(tasks, replies, strict=True)]
        await self._ledger.add_computed([task.key for task in tasks], replies, host=self._judge.spec.host)
        for task, reply, fault in zip(tasks, replies, faults, strict=True):
            self._tally.count_reply(reply, None)
            if fault is None:
                self._tally.scored += 1
            else:
                self._tally.missing[fault.reason] += 1
                await self._ledger.give_up(task.key, Failure(fault.reason, fault.message, 1))
