"""The plan of a run held against the ledger: what is known already, and the calls that are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress

import numpy as np
from numpy.typing import NDArray

from diversity_judge import cycles
from diversity_judge.choices import MOST_PAIRS
from diversity_judge.engine.as_bought import is_among
from diversity_judge.engine.bill import Bill, group_bill, sorting_bill, total
from diversity_judge.errors import InputError
from diversity_judge.inputs.views import estimate_tokens
from diversity_judge.judges.base import Judge
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.judgments import need_call, read_judgments
from diversity_judge.ledger.sortings import read_sortings
from diversity_judge.planning.groups import GroupPlan, Task, check_context
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.question import Question
from diversity_judge.planning.repeats import needs_judgment
from diversity_judge.planning.sorting import SortingPlan, SortingTask, check_sortings_fit
from diversity_judge.planning.summaries import SummaryPlan, check_summaries_fit
from diversity_judge.text_safety import printable

_PAIRS_A_LOOK = MOST_PAIRS
"""Pairs that are read from the ledger together; of a larger group only those whose keys it may hold are."""


@dataclass(frozen=True)
class GroupWork:
    """One group of a workload.

    Attributes:
        plan: The group.
        known: Its judgments as the ledger had them; None where some are still to be bought, or there are very many:
            these are read again afterwards, and a large plan would be held in memory twice.
        is_missing: (pairs,) for which pairs, in the order of the plan, a call is needed; a repeat of another pair
            needs none of its own.
    """

    plan: GroupPlan
    known: Sequence[Judgment] | None
    is_missing: NDArray[np.bool_]

    def tasks(self, judge: Judge) -> Iterator[Task]:
        """The calls that are needed, made one after the other as they are asked for."""
        fingerprint = judge.fingerprint(self.plan)
        for pair in compress(self.plan.pairs, self.is_missing.tobytes()):
            yield Task(self.plan, pair, self.plan.key(pair, fingerprint))


@dataclass(frozen=True)
class Workload:
    """What is known and what has to be bought.

    Attributes:
        groups: The groups, in the order of the input.
        sortings: Questions about whole groups.
        bill: The number of calls and their likely cost.
        planned_at: The id of the ledger's newest reply before it was read: later ones are other runs'.
        more: Calls that are needed for other questions than those about pairs.
    """

    groups: Sequence[GroupWork]
    sortings: Sequence[SortingPlan]
    bill: Bill
    planned_at: int
    more: Sequence[Question] = ()

    def tasks(self, judge: Judge) -> Iterator[Question]:
        """The calls that are needed, made one after the other as they are asked for; those about pairs first."""
        return chain(chain.from_iterable(work.tasks(judge) for work in self.groups), self.more)


@cycles.not_sought()
def make_workload(
    plans: Sequence[GroupPlan],
    judge: Judge,
    ledger: Ledger | None,
    template: PromptTemplate,
    sortings: Sequence[SortingPlan] = (),
) -> Workload:
    """Look up what is known (None: nothing is) and list the rest."""
    planned_at = ledger.last_id() if ledger is not None else 0
    overhead = estimate_tokens(template.file.body)
    # In a ledger without a reply no key needs to be looked for.
    known = ledger if planned_at else None
    has_large = any(len(plan.pairs) > _PAIRS_A_LOOK for plan in plans)
    stored = known.key_heads() if known is not None and has_large else np.empty(0, dtype=np.uint64)
    groups, bills = [], []
    for plan, wanted in zip(plans, needs_judgment(plans, [judge.fingerprint(plan) for plan in plans]), strict=True):
        n_judgments = int(wanted.sum())
        if known is None:
            work, n_reused = GroupWork(plan, None, wanted), 0
        elif len(plan.pairs) > _PAIRS_A_LOOK:
            work, n_reused = _look_up_stored(plan, wanted, judge, known, stored)
        else:
            work, n_reused = _look_up(plan, wanted, judge, known)
        possible = plan.can_be_asked()
        work = replace(work, is_missing=work.is_missing & possible)
        groups.append(work)
        bills.append(
            group_bill(
                plan,
                work.is_missing,
                n_judgments=n_judgments,
                n_reused=n_reused,
                n_without_summary=int((wanted & ~possible).sum()),
                spec=judge.spec,
                overhead_tokens=overhead,
            )
        )
    missing, sorting_bills = _look_up_sortings(sortings, judge, known)
    return Workload(groups, sortings, total([*bills, *sorting_bills]), planned_at, missing)


def _look_up_sortings(
    sortings: Sequence[SortingPlan], judge: Judge, ledger: Ledger | None
) -> tuple[list[SortingTask], list[Bill]]:
    """Hold the questions about groups against the ledger; one that two groups share is asked once."""
    found = read_sortings(sortings, judge, ledger)
    distinct = list({sorting.key: sorting for sorting in found if sorting.key is not None}.values())
    needed = need_call(distinct, ledger, judge.spec.output_limit)
    bills = [
        sorting_bill(sorting.plan, is_known=sorting.reason is None, is_missing=is_missing, spec=judge.spec)
        for sorting, is_missing in zip(distinct, needed, strict=True)
    ]
    missing = [
        SortingTask(sorting.plan, sorting.key)
        for sorting, is_missing in zip(distinct, needed, strict=True)
        if is_missing and sorting.key is not None
    ]
    return missing, bills


def _look_up(plan: GroupPlan, wanted: NDArray[np.bool_], judge: Judge, ledger: Ledger) -> tuple[GroupWork, int]:
    """Hold a group against the ledger; returns the work, and the number of scores found.

    Args:
        plan: The group.
        wanted: (pairs,) which of them need a judgment of their own.
        judge: Whose judgments.
        ledger: Where they are.
    """
    judgments = read_judgments(plan, judge, ledger)
    is_missing = np.array(need_call(judgments, ledger, judge.spec.output_limit), dtype=np.bool_)
    has_score = np.array([judgment.score is not None for judgment in judgments], dtype=np.bool_)
    # A repeat of what is still to be bought, here or in another group, is not known either.
    known = None if is_missing.any() else judgments
    return GroupWork(plan, known, is_missing & wanted), int((has_score & wanted).sum())


def _look_up_stored(
    plan: GroupPlan, wanted: NDArray[np.bool_], judge: Judge, ledger: Ledger, stored: NDArray[np.uint64]
) -> tuple[GroupWork, int]:
    """The same for a group of very many pairs, most of which the ledger does not know: only the others are read.

    Args:
        plan: The group.
        wanted: (pairs,) which of them need a judgment of their own.
        judge: Whose judgments.
        ledger: Where they are.
        stored: Sorted: the heads of the ledger's keys. Another key with the same head is looked for and not found.
    """
    is_missing = wanted.copy()
    fingerprint, draws = judge.fingerprint(plan), plan.pairs.draws
    n_reused = 0
    for first, seconds in plan.pairs.rows():
        row = plan.pairs.row(first)
        places = np.flatnonzero(is_among(plan.key_heads(fingerprint, first), stored) & wanted[row])
        if len(places) == 0:
            continue
        pairs = [Pair(first, int(seconds[place // draws]), place % draws) for place in places.tolist()]
        judgments = read_judgments(plan, judge, ledger, pairs)
        is_missing[row.start + places] = need_call(judgments, ledger, judge.spec.output_limit)
        n_reused += sum(judgment.score is not None for judgment in judgments)
    return GroupWork(plan, None, is_missing), n_reused


def check_fits(
    plans: Sequence[GroupPlan],
    spec: JudgeSpec,
    template: PromptTemplate,
    sortings: Sequence[SortingPlan] = (),
    summaries: Sequence[SummaryPlan] | None = None,
) -> None:
    """Find what an LLM judge could not be shown, before anything is sent.

    Args:
        plans: The groups.
        spec: The judge.
        template: Of pairs.
        sortings: Questions about whole groups.
        summaries: Texts that are summarised one by one, so that no pair of them has to fit; None where pairs are
            shown whole.

    Raises:
        InputError: a problem's text is wanted and missing, or a response, or a group that is to be sorted in one call,
            does not fit the judge's context.
    """
    if spec.is_embedded:
        return
    overhead = estimate_tokens(template.file.body)
    if template.uses_problem:
        without = [plan for plan in plans if plan.group.problem is None]
        if without:
            raise InputError(
                f"the template {template.file.path} shows the problem, but {len(without)} group(s) carry no problem "
                f"text, first {printable(without[0].group.problem_id)}: add 'problem' to the responses, or take "
                "another --prompt"
            )
        overhead += max((estimate_tokens(plan.group.problem or "") for plan in plans), default=0)
    output_tokens, context_tokens = spec.output_limit or spec.typical_output_tokens, spec.context_tokens
    if summaries is None:
        check_context(plans, overhead_tokens=overhead, output_tokens=output_tokens, context_tokens=context_tokens)
    else:
        check_summaries_fit(summaries, output_tokens=output_tokens, context_tokens=context_tokens)
    check_sortings_fit(sortings, output_tokens=output_tokens, context_tokens=context_tokens)
