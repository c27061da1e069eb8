"""The small interface behind which every judge stands, and the ways in which a call can fail.

The engine knows these types only. What an HTTP status means is decided in one place, `hosts.calls`; what is done
about it is decided in one place, by the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from diversity_judge.hosts.calls import CallError as CallError
from diversity_judge.hosts.calls import FatalError as FatalError
from diversity_judge.hosts.calls import RejectedError as RejectedError
from diversity_judge.hosts.calls import TransientError as TransientError
from diversity_judge.hosts.completion import Completion
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.question import Question


@dataclass(frozen=True, slots=True)
class Reply(Completion):
    """A judge's raw reply to one call, as it is kept in the ledger: a completion, and how long it took."""

    latency_s: float = 0.0


class Judge(Protocol):
    """One judge: what it is, what its scores depend on besides the two texts, and how it is asked."""

    @property
    def spec(self) -> JudgeSpec:
        """Which judge this is."""
        ...

    @property
    def prompt_label(self) -> str:
        """The prompt template as the tables name it."""
        ...

    def fingerprint(self, plan: GroupPlan) -> str:
        """Hash of everything except the two texts and the draw that can change this group's scores."""
        ...

    async def ask(self, task: Question) -> Reply:
        """Answer one question: judge an ordered pair, or sort a group.

        Raises:
            CallError: there is no reply; the subclass says what to do about it.
        """
        ...

    async def aclose(self) -> None:
        """Give back what is held open."""
        ...


class EmbeddedJudge(Judge, Protocol):
    """A judge that is part of this package: it computes, so it can be asked about many pairs at once."""

    def compute(self, tasks: Sequence[Question]) -> list[Reply]:
        """Answer questions about one group or several; replies in the same order."""
        ...
