"""Judges that compute: whole batches, every group once, and the same rules as for what is bought."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diversity_judge.engine.computer import Computer
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.judges import proxy
from diversity_judge.judges.base import Reply
from diversity_judge.judges.presets import find_judge
from diversity_judge.judges.proxy import ProxyJudge, proxy_score, proxy_similarity
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.jobs import AddReplies
from diversity_judge.planning.groups import GroupPlan, Showing, Task, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.question import Question
from diversity_judge.score import main
from tests.diversity_judge.helpers import group
from tests.judge_texts import Sample

N_GROUPS, N_TEXTS = 80, 10


def plans(n_groups: int = N_GROUPS) -> list[GroupPlan]:
    rng = random.Random(5)
    words = [f"w{number}" for number in range(40)]
    groups = [
        group([" ".join(rng.choices(words, k=20)) for _ in range(N_TEXTS)], f"p{number}") for number in range(n_groups)
    ]
    return plan_groups(groups, PairDesign(), Showing())


def tasks_of(judge: ProxyJudge, planned: Iterable[GroupPlan]) -> list[Task]:
    return [task for plan in planned for task in plan.tasks(judge.fingerprint(plan))]


def compute(ledger: Ledger, tasks: list[Task], **options: Any) -> Tally:
    async def go() -> Tally:
        tally = Tally(wanted=len(tasks))
        computer = Computer(JUDGE, ledger, EngineOptions(**options), tally, planned_at=ledger.last_id())
        return await computer.run(tasks)

    return asyncio.run(go())


JUDGE = ProxyJudge(find_judge("proxy"))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of texts of every computation of cosines."""
    sizes: list[int] = []

    def count(texts: list[str]) -> object:
        sizes.append(len(texts))
        return proxy_similarity(texts)

    monkeypatch.setattr(proxy, "proxy_similarity", count)
    return sizes


def test_every_group_is_computed_once(tmp_path: Path, computed: list[int]) -> None:
    planned = plans()
    tasks = tasks_of(JUDGE, planned)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        tally = compute(ledger, tasks)
        kept = ledger.replies([task.key for task in tasks])
    assert computed == [N_TEXTS] * N_GROUPS
    assert (tally.scored, tally.calls, tally.replies, tally.done) == (len(tasks),) * 4
    for plan in planned:
        cosines = proxy_similarity([shown.text for shown in plan.shown])
        for task in plan.tasks(JUDGE.fingerprint(plan)):
            (reply,) = kept[task.key]
            assert reply.content.endswith(f"[Final Score: {proxy_score(cosines[task.pair.first, task.pair.second])}]")


def test_pairs_of_a_few_groups_may_come_in_any_order(computed: list[int]) -> None:
    tasks = tasks_of(ProxyJudge(find_judge("proxy")), plans(proxy._GROUPS_KEPT))
    random.Random(1).shuffle(tasks)
    judge = ProxyJudge(find_judge("proxy"))
    for task in tasks:
        asyncio.run(judge.ask(task))
    assert len(computed) == proxy._GROUPS_KEPT
    assert len(judge._cosines) <= proxy._GROUPS_KEPT


def test_what_another_run_has_in_hand_is_left_to_it_until_it_gives_it_back(tmp_path: Path) -> None:
    tasks = tasks_of(JUDGE, plans(1))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        other = Ledger(tmp_path / "ledger.sqlite")

        class Waiting(Computer):
            async def _sleep(self, seconds: float) -> None:
                """Meanwhile the other run answers one judgment and ends."""
                assert tally.scored == len(tasks) - 5
                await other.add_computed([tasks[0].key], JUDGE.compute(tasks[:1]), host="embedded")
                other.close()

        tally = Tally(wanted=len(tasks))

        async def go() -> Tally:
            await other.claim([task.key for task in tasks[:5]], newer_than=0)
            return await Waiting(JUDGE, ledger, EngineOptions(), tally, planned_at=0).run(tasks)

        asyncio.run(go())
    assert (tally.reused, tally.scored) == (1, len(tasks) - 1)


def test_a_limit_ends_it(tmp_path: Path) -> None:
    tasks = tasks_of(JUDGE, plans(20))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        tally = compute(ledger, tasks, max_calls=7)
    assert (tally.scored, tally.ending, tally.missing["budget"]) == (7, Ending.BUDGET, len(tasks) - 7)


def test_an_interruption_ends_it_after_the_batch_in_hand(tmp_path: Path) -> None:
    tasks = tasks_of(JUDGE, plans(20))
    tally = Tally(wanted=len(tasks))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:

        class Impatient(ProxyJudge):
            def compute(self, tasks: Sequence[Question]) -> list[Reply]:
                made[0].interrupt()
                return super().compute(tasks)

        async def go() -> None:
            made.append(Computer(Impatient(find_judge("proxy")), ledger, EngineOptions(), tally, planned_at=0))
            await made[0].run(tasks)

        made: list[Computer] = []
        asyncio.run(go())
        kept = ledger.replies([task.key for task in tasks])
    assert tally.ending is Ending.INTERRUPTED
    assert 0 < tally.scored == len(kept) < len(tasks)
    assert tally.done == len(tasks)


def test_nothing_is_counted_that_is_not_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(job: AddReplies, connection: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(AddReplies, "write", full)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        tally = compute(ledger, tasks_of(JUDGE, plans(1)))
    assert (tally.ending, tally.scored, tally.replies) == (Ending.FAILED, 0, 0)
    assert "no space left" in tally.message


def test_the_command_resumes_what_a_limit_ended(tmp_path: Path) -> None:
    responses = Sample(problems=("p0",), n=8).write(tmp_path / "responses.jsonl")
    argv = [str(responses), "--judge", "proxy", "--out", str(tmp_path / "run"), "--no-heatmaps", "--quiet"]
    assert main([*argv, "--max-calls", "3"]) == 3
    assert pd.read_csv(tmp_path / "run" / "pairs.csv")["score"].notna().sum() == 3
    assert main(argv) == 0
    assert set(pd.read_csv(tmp_path / "run" / "pairs.csv")["n_replies"]) == {1}
