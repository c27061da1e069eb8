"""The plan of a run held against the ledger: what is known already, and the calls that are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from diversity_judge.engine.bill import Bill, group_bill, total
from diversity_judge.errors import InputError
from diversity_judge.inputs.views import estimate_tokens
from diversity_judge.judges.base import Judge
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.judgments import missing_pairs, read_judgments
from diversity_judge.planning.groups import GroupPlan, Task, check_context
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.text_safety import printable


@dataclass(frozen=True)
class GroupWork:
    """One group of a workload.

    Attributes:
        plan: The group.
        known: Its judgments as the ledger had them; None where some are still to be bought: these are read again
            afterwards, and a large plan would be held in memory twice.
        missing: The pairs for which a call is needed, in the order of the plan.
    """

    plan: GroupPlan
    known: Sequence[Judgment] | None
    missing: Sequence[Pair]


@dataclass(frozen=True)
class Workload:
    """What is known and what has to be bought.

    Attributes:
        groups: The groups, in the order of the input.
        bill: The number of calls and their likely cost.
        planned_at: The id of the ledger's newest reply before it was read: later ones are other runs'.
    """

    groups: Sequence[GroupWork]
    bill: Bill
    planned_at: int

    def tasks(self, judge: Judge) -> Iterator[Task]:
        """The calls that are needed, made one after the other as they are asked for."""
        for work in self.groups:
            fingerprint = judge.fingerprint(work.plan)
            for pair in work.missing:
                yield Task(work.plan, pair, work.plan.key(pair, fingerprint))


def make_workload(
    plans: Sequence[GroupPlan], judge: Judge, ledger: Ledger | None, template: PromptTemplate
) -> Workload:
    """Look up what is known (None: nothing is) and list the rest."""
    planned_at = ledger.last_id() if ledger is not None else 0
    overhead = estimate_tokens(template.file.body)
    groups, bills = [], []
    for plan in plans:
        judgments = read_judgments(plan, judge, ledger)
        missing = missing_pairs(judgments, ledger, judge.spec.output_limit)
        groups.append(GroupWork(plan, None if missing else judgments, missing))
        bills.append(group_bill(plan, judgments, missing, spec=judge.spec, overhead_tokens=overhead))
    return Workload(groups, total(bills), planned_at)


def check_fits(plans: Sequence[GroupPlan], spec: JudgeSpec, template: PromptTemplate) -> None:
    """Find what an LLM judge could not be shown, before anything is sent.

    Raises:
        InputError: a problem's text is wanted and missing, or a response does not fit the judge's context.
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
    check_context(
        plans,
        overhead_tokens=overhead,
        output_tokens=spec.output_limit or spec.typical_output_tokens,
        context_tokens=spec.context_tokens,
    )
