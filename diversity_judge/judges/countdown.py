"""The exact judge of countdown solutions: the similarity is computed from the steps. It is not an LLM.

Of this task the true similarity is known, so its scores are the reference that another judge can be held against
(`diversity_judge.agree`). The rules are those of `diversity_judge.countdown`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from diversity_judge.countdown import Step, read_steps, similarity
from diversity_judge.judges.base import Reply
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import GroupPlan, Task
from diversity_judge.planning.question import Question
from diversity_judge.planning.sorting import SortingTask

_VERSION = "1"
"""Part of every key: raise it when a change of this module or of `diversity_judge.countdown` changes a score."""


class CountdownJudge:
    """Scores pairs by `countdown.similarity`, behind the interface of an LLM judge and through the same ledger."""

    prompt_label = "none (exact judge)"

    def __init__(self, spec: JudgeSpec) -> None:
        self._spec = spec

    @property
    def spec(self) -> JudgeSpec:
        """Which judge this is."""
        return self._spec

    def fingerprint(self, plan: GroupPlan) -> str:
        """The same for every group: a score depends on its two texts alone."""
        return f"{self._spec.kind}\n{self._spec.model}\n{_VERSION}"

    async def ask(self, task: Question) -> Reply:
        """What the two solutions share, and the score, or how a group is sorted; neither where one holds no step.

        Raises:
            TypeError: it is asked something else.
        """
        return self.compute([task])[0]

    def compute(self, tasks: Sequence[Question]) -> list[Reply]:
        """The same for many questions; each text of a pair is read once."""
        pairs = [task for task in tasks if isinstance(task, Task)]
        steps = {text: read_steps(text) for task in pairs for text in (task.text1, task.text2)}
        return [self._reply(_answer(task, steps)) for task in tasks]

    def _reply(self, content: str) -> Reply:
        return Reply(content, finish_reason="stop", prompt_tokens=0, completion_tokens=0, model=self._spec.model)

    async def aclose(self) -> None:
        """Nothing is held open."""


def _answer(task: Question, steps: Mapping[str, Sequence[Step]]) -> str:
    if isinstance(task, Task):
        return _verdict(steps[task.text1], steps[task.text2])
    if isinstance(task, SortingTask) and not task.plan.references:
        return _sorted([read_steps(text) for text in task.plan.texts])
    raise TypeError("the exact judge compares pairs and sorts groups, and knows no list of approaches")


def _verdict(first: Sequence[Step], second: Sequence[Step]) -> str:
    unreadable = [name for name, steps in (("first", first), ("second", second)) if not steps]
    if unreadable:
        return f"Exact judge: no step can be read in the {' and the '.join(unreadable)} response, so there is no score."
    ours, theirs = Counter(step.canonical for step in first), Counter(step.canonical for step in second)
    return "\n".join(
        (
            "Exact judge of countdown solutions.",
            f"Shared steps: {_listed((ours & theirs).elements())}",
            f"Only in the first: {_listed((ours - theirs).elements())}",
            f"Only in the second: {_listed((theirs - ours).elements())}",
            f"Operations in order: {_operations(first)} and {_operations(second)}",
            f"[Final Score: {similarity(first, second)}]",
        )
    )


def _sorted(solutions: Sequence[Sequence[Step]]) -> str:
    """Solutions with the same steps, in whatever order, take the same approach: exactly those of a score from 4 on."""
    unreadable = [str(number) for number, steps in enumerate(solutions, start=1) if not steps]
    if unreadable:
        return f"Exact judge: no step can be read in response {', '.join(unreadable)}, so nothing is sorted."
    approaches: dict[frozenset[tuple[tuple[str, int, int], int]], list[str]] = {}
    for number, steps in enumerate(solutions, start=1):
        approaches.setdefault(frozenset(Counter(s.canonical for s in steps).items()), []).append(str(number))
    members = "; ".join(", ".join(numbers) for numbers in approaches.values())
    return f"Exact judge of countdown solutions.\n[Approaches: {members}]"


def _listed(steps: Iterable[tuple[str, int, int]]) -> str:
    return "; ".join(f"{left} {operation} {right}" for operation, left, right in steps) or "none"


def _operations(steps: Sequence[Step]) -> str:
    return " ".join(step.operation for step in steps)
