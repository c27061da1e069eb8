"""Small groups, plans and replies that several tests build on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from diversity_judge.inputs.responses import Group, Response
from diversity_judge.judges.base import CallError, Reply
from diversity_judge.judges.presets import JudgeSpec, Prices
from diversity_judge.planning.groups import GroupPlan, Showing, Task, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.question import Question


def group(texts: Sequence[str], problem_id: str = "p", strategy: str = "s", problem: str | None = None) -> Group:
    """A group of these texts."""
    responses = tuple(
        Response(problem_id, text, strategy, sample_id=i, problem=problem) for i, text in enumerate(texts)
    )
    return Group(problem_id, strategy, responses, problem)


def plan(texts: Sequence[str], design: PairDesign | None = None, showing: Showing | None = None) -> GroupPlan:
    """The plan of one group of these texts."""
    return plan_groups([group(texts)], design or PairDesign(), showing or Showing())[0]


def reply(score: int | str, finish_reason: str = "stop") -> Reply:
    """A reply with this score, of 100 prompt and 10 completion tokens."""
    return Reply(f"[Final Score: {score}]", "because", finish_reason, 100, 10, 50, "m", None, "fp", 0.5)


@dataclass
class ScriptedJudge:
    """A judge in memory: it takes what comes next from its script, and then gives the same score for ever.

    Attributes:
        script: Replies to return or errors to raise, in order.
        asked: The tasks, in the order in which they were asked.
    """

    script: list[Reply | CallError] = field(default_factory=list)
    otherwise: Reply = field(default_factory=lambda: reply(3))
    asked: list[Task] = field(default_factory=list)
    output_limit: int = 1000
    prompt_label: str = "scripted"
    is_closed: bool = False

    @property
    def spec(self) -> JudgeSpec:
        """One USD a million tokens in, two out."""
        return JudgeSpec(
            "scripted",
            "m",
            base_url="http://127.0.0.1:1/v1",
            parameters={"max_tokens": self.output_limit},
            prices=Prices(1.0, 2.0, 0.5),
        )

    def fingerprint(self, plan: GroupPlan) -> str:
        """Nothing but the texts changes a score."""
        return "scripted"

    async def ask(self, task: Question) -> Reply:
        """The next of the script."""
        assert isinstance(task, Task)
        self.asked.append(task)
        answer = self.script.pop(0) if self.script else self.otherwise
        if isinstance(answer, CallError):
            raise answer
        return answer

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True
