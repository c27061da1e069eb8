"""The bill of a run, held against counting its pairs one by one."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.choices import MOST_PAIRS, Orders
from diversity_judge.engine.workload import make_workload
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.store import StoredReply
from diversity_judge.planning.groups import Showing, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompting import PromptTemplate
from tests.diversity_judge.helpers import ScriptedJudge, group, plan, reply

TEXTS = ["a", "b", "a", "c", "d"]
"""Ten pairs, one of them of identical texts."""


def test_of_an_empty_ledger_all_but_duplicates_is_to_be_bought() -> None:
    judge, template = ScriptedJudge(), PromptTemplate.load()
    a_plan = plan(TEXTS)
    workload = make_workload([a_plan], judge, None, template)
    bill = workload.bill
    assert (bill.pairs, bill.duplicates, bill.repeats) == (10, 1, 0)
    assert (bill.judgments, bill.reused, bill.not_asked_again, bill.calls) == (9, 0, 0, 9)
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
    assert (bill.pairs, bill.duplicates, bill.repeats) == (10, 1, 0)
    assert (bill.judgments, bill.reused, bill.not_asked_again, bill.calls) == (9, 1, 1, 7)
    left_out = {tasks[0].key, tasks[5].key}
    assert [task.key for task in workload.tasks(judge)] == [t.key for t in tasks if t.key not in left_out]


@pytest.mark.parametrize(("orders", "draws"), [("one", 1), ("both", 2)])
def test_the_heads_of_keys_are_the_beginnings_of_the_keys(orders: Orders, draws: int) -> None:
    a_plan = plan(TEXTS, PairDesign(orders=orders, draws=draws))
    heads = [head for first in range(len(TEXTS)) for head in a_plan.key_heads("scripted", first).tolist()]
    assert heads == [int(a_plan.key(pair, "scripted")[:16], 16) for pair in a_plan.pairs]


def test_of_a_huge_group_only_the_keys_that_the_ledger_may_hold_are_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_plan = plan([f"text {i}" for i in range(300)], PairDesign())
    assert len(a_plan.pairs) > MOST_PAIRS
    judge, tasks = ScriptedJudge(), list(a_plan.tasks("scripted"))
    kept = [tasks[0].key, tasks[30_000].key, tasks[-1].key, "no key of anybody's", "f" * 64]

    async def fill(ledger: Ledger) -> None:
        for key in kept:
            await ledger.add_reply(
                key, reply(4), is_last=True, cost_usd=0.0, host="h", attempt=1, output_limit=judge.output_limit
            )

    looked_up: list[str] = []
    replies = Ledger.replies

    def noted(ledger: Ledger, keys: Sequence[str]) -> dict[str, list[StoredReply]]:
        looked_up.extend(keys)
        return replies(ledger, keys)

    monkeypatch.setattr(Ledger, "replies", noted)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        asyncio.run(fill(ledger))
        workload = make_workload([a_plan], judge, ledger, PromptTemplate.load())
    assert (workload.bill.reused, workload.bill.calls) == (3, 44_850 - 3)
    assert [task.key for task in workload.tasks(judge)] == [task.key for task in tasks if task.key not in kept]
    assert looked_up == kept[:3]


def test_the_bill_of_a_huge_group_makes_no_list_of_its_pairs() -> None:
    a_plan = plan([f"text {i}" for i in range(3000)], PairDesign())
    assert len(a_plan.pairs) > MOST_PAIRS
    tracemalloc.start()
    bill = make_workload([a_plan], ScriptedJudge(), None, PromptTemplate.load()).bill
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (bill.judgments, bill.calls) == (4_498_500, 4_498_500)
    assert peak < 32 * 2**20  # a byte a pair, and the digests


def test_a_huge_group_in_which_a_text_is_repeated_is_billed_without_a_list_of_its_pairs() -> None:
    # 1,500 texts, each twice: 4,498,500 pairs of which 1,500 are of one text. Of two texts a and b the four pairs of
    # their copies are oriented a-b or b-a, so that at most two judgments are left of them.
    a_plan = plan([f"text {i % 1500}" for i in range(3000)], PairDesign())
    tracemalloc.start()
    bill = make_workload([a_plan], ScriptedJudge(), None, PromptTemplate.load()).bill
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    keys = {(pair.first % 1500, pair.second % 1500) for pair in a_plan.pairs}
    assert bill.calls == sum(first != second for first, second in keys)
    assert (bill.pairs, bill.duplicates) == (4_498_500, 1500)
    assert peak < 32 * 2**20


@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=7), min_size=1, max_size=3),
    st.integers(1, 2),
    st.sampled_from(["one", "both"]),
    st.none() | st.integers(1, 9),
    st.booleans(),
)
def test_each_key_is_asked_once_and_none_is_left_out(
    groups: list[list[str]], draws: int, orders: Orders, m: int | None, judge_duplicates: bool
) -> None:
    judge = ScriptedJudge()
    plans = plan_groups(
        [group(texts, f"p{i}") for i, texts in enumerate(groups)],
        PairDesign(orders, m, draws),
        Showing(judge_duplicates=judge_duplicates),
    )
    workload = make_workload(plans, judge, None, PromptTemplate.load())
    wanted = [key for a_plan in plans for key in a_plan.keys("scripted")]
    asked = [task.key for task in workload.tasks(judge)]
    # The first pair of each key, in the order of the plan.
    assert asked == list(dict.fromkeys(key for key in wanted if key is not None))
    bill = workload.bill
    assert bill.calls == bill.judgments == len(asked)
    assert draws * (bill.pairs - bill.duplicates - bill.repeats) == bill.judgments
    assert (draws * bill.pairs, draws * bill.duplicates) == (len(wanted), wanted.count(None))
