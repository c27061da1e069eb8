"""What a run has to buy, in one phase, or in two where summaries are compared: first these, then pairs of them.

Of the second phase only the number of calls is known before the first is over: which texts will be compared is not.
Until then stand-ins of the usual length are counted.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from rich.console import Console

from diversity_judge.engine.as_bought import as_bought
from diversity_judge.engine.bill import Bill, total
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.session import buy
from diversity_judge.engine.summary_work import SummaryWork, make_summary_work
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.engine.workload import Workload, check_fits, make_workload
from diversity_judge.inputs.responses import Group
from diversity_judge.judges.base import Judge
from diversity_judge.judges.make import make_judge
from diversity_judge.ledger import Ledger
from diversity_judge.measures.intervals import make_ready
from diversity_judge.planning.groups import GroupPlan, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.question import Question
from diversity_judge.planning.sorting import SortingPlan
from diversity_judge.planning.summaries import Summary, SummaryPlan, SummaryTemplate, plan_summaries, with_summaries
from diversity_judge.scoring.options import ScoreOptions
from diversity_judge.scoring.sortings import wanted_sortings


@dataclass(frozen=True)
class Wanted:
    """What is to be asked, before anybody has looked into a ledger.

    Attributes:
        plans: The groups, their responses shown.
        design: By which their pairs were chosen.
        judge: Who is asked.
        template: Of pairs.
        sortings: Questions about whole groups.
        summaries: Texts that are to be summarised first; None where the responses themselves are compared.
    """

    plans: Sequence[GroupPlan]
    design: PairDesign
    judge: Judge
    template: PromptTemplate
    sortings: Sequence[SortingPlan] = ()
    summaries: Sequence[SummaryPlan] | None = None

    @classmethod
    def of(cls, options: ScoreOptions, groups: Sequence[Group], *, sends_calls: bool) -> Wanted:
        """What a run is asked to do with some groups.

        Args:
            options: Of the run.
            groups: Those that are scored.
            sends_calls: Whether the judge will be asked; then its key must be there.

        Raises:
            InputError: something cannot be shown to the judge, or its key is missing; nothing was sent.
        """
        plans = plan_groups(groups, options.design, options.shown)
        template = PromptTemplate.load(options.prompt)
        sortings = wanted_sortings(options, groups, plans)
        summaries = plan_summaries(plans, SummaryTemplate.load()) if options.judge_input == "summaries" else None
        check_fits(plans, options.judge, template, sortings, summaries)
        judge = make_judge(options.judge, template, sends_calls=sends_calls, deadline_s=options.engine.deadline_s)
        return cls(plans, options.design, judge, template, sortings, summaries)

    def work(self, ledger: Ledger | None, *, summaries_come: bool) -> Work:
        """The same held against a ledger (None: an empty one).

        Args:
            ledger: Where replies are.
            summaries_come: Whether missing summaries are bought before any pair, so that pairs of them are counted.
        """
        plans, first = self.plans, None
        if self.summaries is not None:
            first = make_summary_work(self.summaries, self.judge, ledger)
            promised = {task.key for task in first.tasks} if summaries_come else ()
            plans = with_summaries(plans, first.summaries, promised)
        return Work(self, self._workload(plans, ledger), first)

    def _workload(self, plans: Sequence[GroupPlan], ledger: Ledger | None) -> Workload:
        """Where a call is needed, pairs that were bought the other way round are looked for, too."""
        workload = make_workload(plans, self.judge, ledger, self.template, self.sortings)
        if not any(work.is_missing.any() for work in workload.groups):
            return workload
        oriented = as_bought(plans, self.design, self.judge, ledger)
        if all(map(operator.is_, oriented, plans)):
            return workload
        return make_workload(oriented, self.judge, ledger, self.template, self.sortings)


@dataclass(frozen=True)
class Work:
    """What is known of a run and what has to be bought.

    Attributes:
        wanted: What is to be asked.
        workload: Pairs, and whole groups.
        summaries: What comes before; None where the responses themselves are compared.
    """

    wanted: Wanted
    workload: Workload
    summaries: SummaryWork | None = None

    @property
    def bill(self) -> Bill:
        """Of all calls; those about summaries that are still to come are an estimate."""
        return total([self.summaries.bill, self.workload.bill]) if self.summaries else self.workload.bill

    @property
    def known_summaries(self) -> Sequence[Summary] | None:
        """What the ledger held of them; None where the responses themselves are compared."""
        return self.summaries.summaries if self.summaries else None

    def tasks(self) -> Iterator[Question]:
        """The calls that are needed, as far as they are known; those for summaries first."""
        return chain(self.summaries.tasks if self.summaries else (), self.workload.tasks(self.wanted.judge))

    def buy(self, ledger: Ledger, options: EngineOptions, console: Console) -> tuple[Work, Tally]:
        """Buy it; returns what it came to be, and the tally.

        Raises:
            InputError: the user does not agree to the bill of both phases; nothing was sent.
        """
        judge, asked = self.wanted.judge, self.bill
        tally, now = None, self
        if self.summaries is not None:
            tally = buy(self.summaries.workload, judge, ledger, options, console, asked_about=asked)
            now = self.wanted.work(ledger, summaries_come=False)
            if tally.ending is not Ending.DONE:
                return now, tally
        return now, buy(now.workload, judge, ledger, options, console, before=tally, meanwhile=make_ready)
