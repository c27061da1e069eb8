"""The summaries of a run held against the ledger: what is known already, and the calls that are needed first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diversity_judge.engine.bill import Bill, summary_bill, total
from diversity_judge.engine.workload import Workload
from diversity_judge.judges.base import Judge
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.judgments import need_call
from diversity_judge.ledger.summaries import read_summaries
from diversity_judge.planning.summaries import Summary, SummaryPlan, SummaryTask


@dataclass(frozen=True)
class SummaryWork:
    """What is known of the summaries and what has to be bought.

    Attributes:
        summaries: Of all texts that are wanted.
        tasks: Those that a call could still bring.
        bill: Of these.
        planned_at: The id of the ledger's newest reply before it was read.
    """

    summaries: Sequence[Summary]
    tasks: Sequence[SummaryTask]
    bill: Bill
    planned_at: int

    @property
    def workload(self) -> Workload:
        """As the engine buys it."""
        return Workload((), (), self.bill, self.planned_at, self.tasks)


def make_summary_work(plans: Sequence[SummaryPlan], judge: Judge, ledger: Ledger | None) -> SummaryWork:
    """Look up what is known (None: nothing is) and list the rest."""
    planned_at = ledger.last_id() if ledger is not None else 0
    found = read_summaries(plans, judge, ledger)
    needed = need_call(found, ledger, judge.spec.output_limit)
    bills = [
        summary_bill(summary.plan, is_known=summary.reason is None, is_missing=is_missing, spec=judge.spec)
        for summary, is_missing in zip(found, needed, strict=True)
    ]
    tasks = [SummaryTask(s.plan, s.key) for s, is_missing in zip(found, needed, strict=True) if is_missing]
    return SummaryWork(found, tasks, total(bills), planned_at)
