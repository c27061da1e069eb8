"""One judge under several templates, so that all probes are bought in one session, under one budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from diversity_judge.judges.base import EmbeddedJudge, Judge, Reply
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import GroupPlan, Task
from diversity_judge.planning.question import Question


class TemplatedJudge:
    """Asks each plan's judgments under the plan's template, behind the interface of one judge.

    Args:
        judge: Under the run's template.
        others: The same judge under another template, each with the plans that are judged under it.
    """

    def __init__(self, judge: Judge, others: Sequence[tuple[Judge, Sequence[GroupPlan]]]) -> None:
        self._judge = judge
        self._others = [other for other, _ in others]
        # By identity: a plan holds texts, and two probes may hold equal plans.
        self._judge_of: Mapping[int, Judge] = {id(plan): other for other, plans in others for plan in plans}
        self._plans = [plan for _, plans in others for plan in plans]

    @property
    def spec(self) -> JudgeSpec:
        """Which judge this is."""
        return self._judge.spec

    @property
    def prompt_label(self) -> str:
        """The run's template."""
        return self._judge.prompt_label

    def fingerprint(self, plan: GroupPlan) -> str:
        """Of the plan under its template."""
        return self._of(plan).fingerprint(plan)

    async def ask(self, task: Question) -> Reply:
        """One call, a pair under the template of its plan."""
        judge = self._of(task.plan) if isinstance(task, Task) else self._judge
        return await judge.ask(task)

    def compute(self, tasks: Sequence[Question]) -> list[Reply]:
        """Replies of a judge that computes: it takes no template, so all questions are for the one judge."""
        return cast(EmbeddedJudge, self._judge).compute(tasks)

    async def aclose(self) -> None:
        """Give back what all of them hold."""
        for judge in (self._judge, *self._others):
            await judge.aclose()

    def _of(self, plan: GroupPlan) -> Judge:
        return self._judge_of.get(id(plan), self._judge)
