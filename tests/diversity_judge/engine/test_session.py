"""A buying session makes ready for what comes after it while it waits for replies."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.session import buy
from diversity_judge.engine.workload import make_workload
from diversity_judge.judges.base import Reply
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import Showing, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.question import Question
from tests.diversity_judge.helpers import ScriptedJudge, group

HANGS_S = 60.0
"""After so long a test that waits for another thread has failed."""


@dataclass
class PatientJudge(ScriptedJudge):
    """Answers nothing before something has been made ready."""

    is_ready: threading.Event = field(default_factory=threading.Event)

    async def ask(self, task: Question) -> Reply:
        """Wait, then score."""
        if not await asyncio.to_thread(self.is_ready.wait, HANGS_S):
            raise AssertionError("nothing was made ready while replies were awaited")
        return await super().ask(task)


def test_what_follows_is_made_ready_in_a_thread_while_replies_are_awaited(tmp_path: Path) -> None:
    judge, threads = PatientJudge(), []

    def make_ready() -> None:
        threads.append(threading.current_thread())
        judge.is_ready.set()

    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        plans = plan_groups([group(["a", "b", "c"])], PairDesign(), Showing())
        workload = make_workload(plans, judge, ledger, PromptTemplate.load())
        options = EngineOptions(concurrency=2, prefix_lead_s=0.01)
        tally = buy(workload, judge, ledger, options, Console(quiet=True), meanwhile=make_ready)
    assert tally.scored == tally.wanted == 3
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
