"""The exact judge of countdown solutions: the similarity is computed from the steps. It is not an LLM.

Of this task the true similarity is known, so its scores are the reference that another judge can be held against
(`diversity_judge.agree`). The rules are those of `diversity_judge.countdown`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from diversity_judge.countdown import Step, read_steps, similarity
from diversity_judge.judges.base import Reply
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import GroupPlan, Task

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

    async def ask(self, task: Task) -> Reply:
        """What the two solutions share, and the score; no score where one of them holds no step."""
        return self.compute([task])[0]

    def compute(self, tasks: Sequence[Task]) -> list[Reply]:
        """The same for many pairs; each text is read once."""
        steps = {text: read_steps(text) for task in tasks for text in (task.text1, task.text2)}
        return [self._reply(_verdict(steps[task.text1], steps[task.text2])) for task in tasks]

    def _reply(self, content: str) -> Reply:
        return Reply(content, finish_reason="stop", prompt_tokens=0, completion_tokens=0, model=self._spec.model)

    async def aclose(self) -> None:
        """Nothing is held open."""


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


def _listed(steps: Iterable[tuple[str, int, int]]) -> str:
    return "; ".join(f"{left} {operation} {right}" for operation, left, right in steps) or "none"


def _operations(steps: Sequence[Step]) -> str:
    return " ".join(step.operation for step in steps)
