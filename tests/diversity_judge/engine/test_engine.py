"""The buyer against a judge in memory: what is sent, in which order, how often, and when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.engine.buyer import Buyer
from diversity_judge.engine.limiter import AdaptiveLimiter, LimiterClosedError
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.schedule import PrefixSchedule, Ramp, bundles
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.errors import InputError
from diversity_judge.hosts.calls import retry_after_s
from diversity_judge.judges.base import CallError, FatalError, RejectedError, Reply, TransientError
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import Task
from diversity_judge.planning.question import Question
from tests.diversity_judge.helpers import ScriptedJudge, plan, reply

FAST = EngineOptions(concurrency=1, retry_wait_s=0.001, prefix_lead_s=0.0, grace_s=0.05)
BUSY = TransientError("http_429", "busy", overloaded=True)


def tasks(n: int = 3) -> list[Task]:
    """All n(n-1)/2 tasks of a group of n texts."""
    return list(plan([f"text {i}" for i in range(n)]).tasks("scripted"))


def run(judge: ScriptedJudge, work: Sequence[Task], path: Path, options: EngineOptions = FAST) -> tuple[Tally, Ledger]:
    """Buy some tasks with a fresh ledger."""
    tally = Tally(wanted=len(work))
    ledger = Ledger(path / "ledger.sqlite")
    with ledger:
        asyncio.run(Buyer(judge, ledger, options, tally, estimated_cost_usd=95e-6).run(bundles(work)))
    return tally, Ledger(path / "ledger.sqlite")


def test_every_task_is_bought_once(tmp_path: Path) -> None:
    judge, work = ScriptedJudge(), tasks(5)
    tally, ledger = run(judge, work, tmp_path, replace(FAST, concurrency=4))
    assert tally.ending is Ending.DONE
    assert sorted(task.key for task in judge.asked) == sorted(task.key for task in work)
    assert ledger.replies([task.key for task in work]).keys() == {task.key for task in work}
    assert (tally.scored, tally.calls, tally.replies, tally.done) == (10, 10, 10, 10)


def test_cost_and_cache_hits_are_counted(tmp_path: Path) -> None:
    # A reply: 50 fresh prompt tokens at 1 USD, 50 cached at 0.5, 10 completion tokens at 2, a million each.
    tally, _ = run(ScriptedJudge(), tasks(3), tmp_path)
    assert tally.cost_usd == pytest.approx(3 * (50 * 1.0 + 50 * 0.5 + 10 * 2.0) / 1e6)
    assert tally.cache_hit_share == 0.5


@pytest.mark.parametrize("error", [BUSY, TransientError("http_500", ""), TransientError("connection", "")])
def test_what_may_pass_is_asked_again(tmp_path: Path, error: CallError) -> None:
    judge = ScriptedJudge([reply(1), error, error, reply(5)])
    tally, _ = run(judge, tasks(3), tmp_path)
    assert tally.ending is Ending.DONE
    assert (tally.scored, tally.calls) == (3, 5)


def test_asking_again_ends_and_leaves_a_reason(tmp_path: Path) -> None:
    work = tasks(2)
    judge = ScriptedJudge([BUSY] * 3)
    tally, ledger = run(judge, work, tmp_path, replace(FAST, max_attempts=3))
    assert tally.missing == {"http_429": 1}
    assert ledger.failures([work[0].key])[work[0].key].attempts == 3


def test_a_paid_reply_without_a_score_is_kept_and_asked_again_only_so_often(tmp_path: Path) -> None:
    work = tasks(2)
    judge = ScriptedJudge(otherwise=reply("none"))
    tally, ledger = run(judge, work, tmp_path, replace(FAST, max_unusable=3))
    assert tally.missing == {"unparsable": 1}
    assert len(ledger.replies([work[0].key])[work[0].key]) == 3


def test_a_truncated_reply_is_not_asked_again(tmp_path: Path) -> None:
    work = tasks(2)
    judge = ScriptedJudge(otherwise=reply(4, "length"))
    tally, ledger = run(judge, work, tmp_path)
    assert (tally.missing, tally.calls) == ({"truncated": 1}, 1)
    assert "max_tokens 1000: raise it" in ledger.failures([work[0].key])[work[0].key].message


def test_a_refused_request_marks_its_pair_and_the_rest_goes_on(tmp_path: Path) -> None:
    judge = ScriptedJudge([reply(1), RejectedError("http_400", "too long")])
    tally, _ = run(judge, tasks(4), tmp_path)
    assert tally.ending is Ending.DONE
    assert (tally.scored, tally.missing) == (5, {"http_400": 1})


def test_the_run_stops_when_the_first_calls_are_all_refused(tmp_path: Path) -> None:
    judge = ScriptedJudge([RejectedError("http_422", "no such parameter")] * 100)
    tally, _ = run(judge, tasks(9), tmp_path)
    assert tally.ending is Ending.FAILED
    assert "no such parameter" in tally.message
    assert tally.calls == 8
    assert tally.done == 36


@pytest.mark.parametrize("reason", ["http_401", "http_402", "http_404"])
def test_what_only_the_user_can_mend_stops_the_run_at_once(tmp_path: Path, reason: str) -> None:
    judge = ScriptedJudge([reply(1), FatalError(reason, "top it up")])
    tally, _ = run(judge, tasks(4), tmp_path)
    assert (tally.ending, tally.message) == (Ending.FAILED, "top it up")
    assert tally.calls == 2
    assert tally.missing == {reason: 1, "failed": 4}


def test_max_calls_is_kept_to_the_call(tmp_path: Path) -> None:
    tally, _ = run(ScriptedJudge(), tasks(5), tmp_path, replace(FAST, concurrency=3, max_calls=4))
    assert tally.ending is Ending.BUDGET
    assert (tally.calls, tally.scored, tally.missing["budget"]) == (4, 4, 6)


def test_retries_count_as_calls(tmp_path: Path) -> None:
    tally, _ = run(ScriptedJudge([BUSY, BUSY, BUSY]), tasks(3), tmp_path, replace(FAST, max_calls=4))
    assert (tally.calls, tally.scored) == (4, 1)


def test_a_host_that_counts_nothing_does_not_lift_max_cost(tmp_path: Path) -> None:
    # Each call is estimated at 95 millionths of a USD: three fit into 300.
    silent = replace(reply(3), prompt_tokens=None, completion_tokens=None, cached_tokens=None)
    tally, _ = run(ScriptedJudge(otherwise=silent), tasks(5), tmp_path, replace(FAST, max_cost_usd=300e-6))
    assert tally.ending is Ending.BUDGET
    assert (tally.calls, tally.unpriced, tally.cost_usd) == (3, 3, 0.0)


def test_max_cost_stops_before_it_is_passed(tmp_path: Path) -> None:
    # A reply costs 95e-6 USD; the fourth would pass 300e-6.
    tally, _ = run(ScriptedJudge(), tasks(5), tmp_path, replace(FAST, max_cost_usd=300e-6))
    assert tally.ending is Ending.BUDGET
    assert tally.replies == 3
    assert tally.cost_usd <= 300e-6


def test_an_interrupt_gives_calls_in_flight_the_grace_and_no_more(tmp_path: Path) -> None:
    class SlowJudge(ScriptedJudge):
        async def ask(self, task: Question) -> Reply:
            assert isinstance(task, Task)
            self.asked.append(task)
            if len(self.asked) == 1:
                asyncio.get_running_loop().call_soon(buyer.interrupt)
                await asyncio.sleep(0.001)
                return reply(2)
            await asyncio.sleep(3600)
            raise AssertionError

    judge, tally, work = SlowJudge(), Tally(wanted=10), tasks(5)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        buyer = Buyer(judge, ledger, replace(FAST, concurrency=3), tally)
        asyncio.run(buyer.run(bundles(work)))
        kept = ledger.replies([task.key for task in work])
    assert tally.ending is Ending.INTERRUPTED
    assert len(kept) == 1
    assert tally.done == 10


def test_what_another_run_holds_is_left_to_it_and_taken_over_when_it_dies(tmp_path: Path) -> None:
    work = tasks(3)
    judge = ScriptedJudge()

    async def buy_beside_another() -> Tally:
        tally = Tally(wanted=3)
        with Ledger(tmp_path / "l.sqlite") as ledger, Ledger(tmp_path / "l.sqlite") as other:
            await other.claim([work[0].key, work[1].key], newer_than=0)
            buying = asyncio.create_task(Buyer(judge, ledger, FAST, tally).run(bundles(work)))
            while not judge.asked:  # noqa: ASYNC110 - the judge in memory has no event to wait for
                await asyncio.sleep(0.001)
            await other.add_reply(
                work[0].key, reply(1), is_last=True, cost_usd=None, host="h", attempt=1, output_limit=None
            )
            other.close()  # it ends without having judged work[1]
            await buying
            return tally

    tally = asyncio.run(buy_beside_another())
    assert [task.key for task in judge.asked] == [work[2].key, work[1].key]
    assert (tally.scored, tally.reused) == (2, 1)


def test_work_behind_a_stretch_that_another_run_holds_is_reached(tmp_path: Path) -> None:
    work = tasks(13)
    held, free = work[:70], work[70:]
    judge = ScriptedJudge()

    async def buy_beside_another() -> Tally:
        tally = Tally(wanted=len(work))
        with Ledger(tmp_path / "l.sqlite") as ledger, Ledger(tmp_path / "l.sqlite") as other:
            await other.claim([task.key for task in held], newer_than=0)
            buying = asyncio.create_task(Buyer(judge, ledger, FAST, tally).run(bundles(work)))
            while tally.scored < len(free):  # noqa: ASYNC110
                await asyncio.sleep(0.001)  # for ever, where the stretch is taken for the end of the work
            other.close()
            await buying
            return tally

    tally = asyncio.run(buy_beside_another())
    assert {task.key for task in judge.asked[: len(free)]} == {task.key for task in free}
    assert tally.scored == len(work)


def test_what_another_run_bought_after_the_plan_was_made_is_not_bought_again(tmp_path: Path) -> None:
    work = tasks(3)
    judge = ScriptedJudge()
    with Ledger(tmp_path / "l.sqlite") as ledger:
        planned_at = ledger.last_id()
        bought = {"is_last": True, "cost_usd": None, "host": "h", "attempt": 1, "output_limit": None}
        asyncio.run(ledger.add_reply(work[0].key, reply(1), **bought))  # type: ignore[arg-type]
        tally = Tally(wanted=3)
        asyncio.run(Buyer(judge, ledger, FAST, tally, planned_at=planned_at).run(bundles(work)))
    assert [task.key for task in judge.asked] == [task.key for task in work[1:]]
    assert tally.reused == 1


# The order of calls


def test_followers_wait_for_the_lead_and_come_before_new_leaders() -> None:
    first, second = ([task for task in tasks(5) if task.pair.first == i] for i in (0, 1))
    schedule = PrefixSchedule(lead_s=1.0)
    schedule.add(first)
    schedule.add(second)
    assert schedule.next(0.0) is first[0]
    assert schedule.next(0.5) is second[0]
    assert schedule.next(0.6) is None
    assert schedule.wait_s(0.6) == pytest.approx(0.4)
    assert schedule.next(1.0) is first[1]
    assert list(schedule.drain()) == second[1:]


def test_new_leaders_come_first_while_few_followers_are_left() -> None:
    first, second = ([task for task in tasks(5) if task.pair.first == i] for i in (0, 1))
    schedule = PrefixSchedule(lead_s=1.0, stock=1)
    schedule.add(first)
    schedule.add(second)
    assert [schedule.next(now) for now in (0.0, 1.0)] == first
    assert schedule.next(1.0) is second[0]
    assert [schedule.next(now) for now in (1.5, 2.0)] == [None, second[1]]


def test_bundles_hold_the_tasks_that_share_their_first_text() -> None:
    assert [{task.pair.first for task in bundle if isinstance(task, Task)} for bundle in bundles(tasks(5))] == [
        {0},
        {1},
        {2},
        {3},
        {4},
    ]


def test_the_first_calls_of_a_run_are_spread_and_no_later_ones() -> None:
    ramp = Ramp(calls=4, seconds=1.0)
    assert ramp.wait_s(10.0) == 0.0
    assert ramp.wait_s(10.0) == 0.25
    assert ramp.wait_s(10.9) == 0.0
    assert ramp.wait_s(10.9) == 0.25, "what was held up does not go out in a burst"
    assert [ramp.wait_s(10.9) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_without_a_lead_the_first_calls_go_out_at_once() -> None:
    ramp = Ramp(calls=4, seconds=0.0)
    assert [ramp.wait_s(10.0) for _ in range(5)] == [0.0] * 5


# The number of calls at a time


def test_the_limit_halves_once_a_round_and_grows_back() -> None:
    limiter = AdaptiveLimiter(16)
    for _ in range(5):
        limiter.overloaded(0)  # five refusals of calls that were all sent before the first of them came back
    assert limiter.limit == 8
    limiter.overloaded(limiter.generation)
    assert limiter.limit == 4
    for _ in range(48):
        limiter.succeeded()
    assert limiter.limit == 16
    limiter.succeeded()
    assert limiter.limit == 16


def test_the_limit_never_falls_below_one() -> None:
    limiter = AdaptiveLimiter(2)
    for _ in range(10):
        limiter.overloaded(limiter.generation)
    assert limiter.limit == 1


def test_slots_are_given_out_in_order_and_not_lost_by_cancelled_waiters() -> None:
    async def scenario() -> list[str]:
        limiter, order = AdaptiveLimiter(1), []
        await limiter.acquire()

        async def wait(name: str) -> None:
            await limiter.acquire()
            order.append(name)
            limiter.release()

        waiting = [asyncio.create_task(wait(name)) for name in "abc"]
        await asyncio.sleep(0)
        waiting[1].cancel()
        limiter.release()
        await asyncio.gather(*waiting, return_exceptions=True)
        await limiter.acquire()
        assert limiter.in_use == 1
        return order

    assert asyncio.run(scenario()) == ["a", "c"]


def test_a_closed_limiter_sends_waiters_away() -> None:
    async def scenario() -> None:
        limiter = AdaptiveLimiter(1)
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        limiter.close()
        with pytest.raises(LimiterClosedError):
            await waiting
        with pytest.raises(LimiterClosedError):
            await limiter.acquire()

    asyncio.run(scenario())


# What a host asks to wait


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0), ("soon", None), (None, None)],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    headers = {} if header is None else {"retry-after": header}
    assert retry_after_s(headers, datetime(2026, 1, 1, tzinfo=timezone.utc)) == seconds


@pytest.mark.parametrize(
    "wrong",
    [{"concurrency": 0}, {"deadline_s": 0}, {"max_calls": -1}, {"max_cost_usd": -1.0}, {"ask_above_usd": -1.0}],
)
def test_limits_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        EngineOptions(**wrong)
