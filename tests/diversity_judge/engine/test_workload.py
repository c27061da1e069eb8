"""The bill of a run, held against counting its pairs one by one."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import pytest

from diversity_judge.engine.workload import make_workload
from diversity_judge.ledger import Ledger
from diversity_judge.planning import pairs
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompting import PromptTemplate
from tests.diversity_judge.helpers import ScriptedJudge, plan, reply

TEXTS = ["a", "b", "a", "c", "d"]
"""Ten pairs, one of them of identical texts."""


def test_of_an_empty_ledger_all_but_duplicates_is_to_be_bought() -> None:
    judge, template = ScriptedJudge(), PromptTemplate.load()
    a_plan = plan(TEXTS)
    workload = make_workload([a_plan], judge, None, template)
    bill = workload.bill
    assert (bill.judgments, bill.duplicates, bill.reused, bill.not_asked_again, bill.calls) == (10, 1, 0, 0, 9)
    assert [task.key for task in workload.tasks(judge)] == [task.key for task in a_plan.tasks("scripted")]
    # Prices of the scripted judge: one USD a million tokens in, two out.
    assert bill.cost_usd == pytest.approx((bill.input_tokens + 2 * bill.output_tokens) / 1e6)


@pytest.mark.parametrize("look", [1, 3, 100])
def test_what_the_ledger_holds_is_not_bought_again_however_few_pairs_are_looked_up_at_a_time(
    tmp_path: Path, look: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diversity_judge.engine.workload._PAIRS_A_LOOK", look)
    judge, template = ScriptedJudge(), PromptTemplate.load()
    tasks = list(plan(TEXTS).tasks("scripted"))
    replies = {tasks[0].key: reply(4), tasks[4].key: reply("none"), tasks[5].key: reply(3, "length")}

    async def fill(ledger: Ledger) -> None:
        for key, its_reply in replies.items():
            await ledger.add_reply(
                key, its_reply, is_last=True, cost_usd=0.0, host="h", attempt=1, output_limit=judge.output_limit
            )

    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        asyncio.run(fill(ledger))
        workload = make_workload([plan(TEXTS)], judge, ledger, template)
    bill = workload.bill
    assert (bill.judgments, bill.duplicates, bill.reused, bill.not_asked_again, bill.calls) == (10, 1, 1, 1, 7)
    left_out = {tasks[0].key, tasks[5].key}
    assert [task.key for task in workload.tasks(judge)] == [t.key for t in tasks if t.key not in left_out]


def test_the_bill_of_a_huge_group_makes_no_list_of_its_pairs() -> None:
    a_plan = plan([f"text {i}" for i in range(3000)], PairDesign())
    assert len(a_plan.pairs) > pairs.MOST_PAIRS
    tracemalloc.start()
    bill = make_workload([a_plan], ScriptedJudge(), None, PromptTemplate.load()).bill
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (bill.judgments, bill.calls) == (4_498_500, 4_498_500)
    assert peak < 32 * 2**20  # a byte a pair, and the digests
