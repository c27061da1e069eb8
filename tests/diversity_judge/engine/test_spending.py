"""Spending is asked for, and cheap hours are waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.engine import buyer as buyer_module
from diversity_judge.engine.bill import Bill
from diversity_judge.engine.buyer import Buyer
from diversity_judge.engine.opening import Opening
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.schedule import bundles
from diversity_judge.engine.spending import check_spending
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.errors import InputError
from diversity_judge.judges.cheap_hours import CheapHours
from diversity_judge.judges.presets import JudgeSpec, adjust, find_judge, load_presets
from diversity_judge.ledger import Ledger
from tests.diversity_judge.engine.test_engine import FAST, tasks
from tests.diversity_judge.helpers import ScriptedJudge

HOURS = CheapHours(0.5, ["01:00-04:00", "06:00-10:00"], cheap_weekends=True)
SPEC = ScriptedJudge().spec
MONDAY = datetime(2026, 11, 30, tzinfo=timezone.utc)


def bill(cost_usd: float | None, calls: int = 100) -> Bill:
    numbers = dict.fromkeys(("groups", "responses", "pairs", "duplicates", "repeats", "judgments", "reused"), 0)
    return Bill(**numbers, not_asked_again=0, calls=calls, input_tokens=0, output_tokens=0, cost_usd=cost_usd)


@pytest.mark.parametrize(
    ("cost", "options"),
    [
        (4.99, {}),
        (None, {}),
        (500.0, {"yes": True}),
        (500.0, {"max_cost_usd": 20.0}),
        (500.0, {"ask_above_usd": 500.0}),
        (500.0, {"max_calls": 1}),  # 100 calls cost 500 USD, so one costs 5.
    ],
)
def test_little_and_what_was_agreed_to_is_spent_unasked(cost: float | None, options: dict[str, Any]) -> None:
    check_spending(bill(cost), EngineOptions(**options), SPEC)


def test_where_nobody_can_be_asked_the_command_has_to_say_it() -> None:
    with pytest.raises(InputError, match=r"about 12\.30 USD, more than 5 USD.*--yes.*--max-cost.*nothing was sent"):
        check_spending(bill(12.3), EngineOptions(), SPEC)


def test_a_person_is_asked_and_the_answer_counts() -> None:
    asked: list[str] = []

    def answers(yes: bool, question: str) -> bool:
        asked.append(question)
        return yes

    check_spending(bill(12.3), EngineOptions(), SPEC, ask=lambda question: answers(True, question))
    with pytest.raises(InputError, match="the answer was no; nothing was sent"):
        check_spending(bill(12.3), EngineOptions(), SPEC, ask=lambda question: answers(False, question))
    assert asked == ["this run will cost about 12.30 USD. Go on? [y/N] "] * 2


def test_a_run_that_waits_for_half_the_price_is_asked_about_half_the_bill() -> None:
    check_spending(bill(9.0), EngineOptions(when="cheap"), replace(SPEC, off_peak=HOURS))


@pytest.mark.parametrize(
    ("day", "time", "is_cheap"),
    [
        (0, "00:59", True),
        (0, "01:00", False),
        (0, "03:59", False),
        (0, "04:00", True),
        (0, "09:59", False),
        (0, "10:00", True),
        (5, "02:00", True),
        (6, "07:00", True),
    ],
)
def test_the_hours_of_the_peak(day: int, time: str, is_cheap: bool) -> None:
    hour, minute = map(int, time.split(":"))
    assert HOURS.is_cheap(MONDAY + timedelta(days=day, hours=hour, minutes=minute)) is is_cheap


def test_hours_are_those_of_utc_whatever_the_time_zone_of_the_clock() -> None:
    beijing = timezone(timedelta(hours=8))
    assert not HOURS.is_cheap(datetime(2026, 11, 30, 9, 0, tzinfo=beijing))
    assert HOURS.is_cheap(datetime(2026, 11, 30, 12, 0, tzinfo=beijing))


def test_a_peak_may_go_past_midnight() -> None:
    night = CheapHours(0.5, ["23:00-01:30"])
    assert not night.is_cheap(MONDAY + timedelta(hours=23, minutes=30))
    assert not night.is_cheap(MONDAY + timedelta(hours=1, minutes=29))
    assert night.next_cheap(MONDAY) == MONDAY + timedelta(hours=1, minutes=30)


def test_a_call_is_cheap_only_if_the_cheap_hours_hold_all_of_it() -> None:
    before, within = MONDAY + timedelta(minutes=30), MONDAY + timedelta(hours=1, minutes=10)
    assert (HOURS.share(before, before), HOURS.share(before, within)) == (0.5, 1.0)


@pytest.mark.parametrize(
    "table", [{"price_share": 2, "peak_utc": ["01:00-02:00"]}, {"price_share": 0.5, "peak_utc": ["1-2"]}]
)
def test_hours_that_cannot_be_meant_are_refused(table: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="off_peak"):
        CheapHours(**table)
    file = tmp_path / "judges.toml"
    share, peak = table["price_share"], table["peak_utc"]
    file.write_text(
        f'[mine]\nmodel = "m"\nbase_url = "http://h/v1"\noff_peak = {{price_share = {share}, peak_utc = {peak}}}\n'
    )
    with pytest.raises(InputError, match="off_peak"):
        load_presets(file)


def test_deepseeks_own_api_has_cheap_hours_and_another_host_has_not() -> None:
    spec = find_judge("deepseek-flash")
    assert spec.off_peak is not None
    assert spec.off_peak.price_share == 0.5
    assert spec.off_peak.as_of
    assert adjust(spec, base_urls=["http://localhost:1/v1"]).off_peak is None


class Priced(ScriptedJudge):
    """With cheap hours."""

    @property
    def spec(self) -> JudgeSpec:
        return replace(super().spec, off_peak=HOURS)


class Clock:
    """Stands at these moments, one a look, and then at the last for ever."""

    def __init__(self, *hours: float) -> None:
        moments = [MONDAY + timedelta(hours=hour) for hour in hours]
        self._moments: Iterator[datetime] = chain(moments, repeat(moments[-1]))

    def __call__(self) -> datetime:
        return next(self._moments)


def test_calls_wait_for_the_cheap_hours_and_say_until_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buyer_module, "_POLL_CLOCK_S", 0.001)
    said: list[str] = []
    judge, tally = Priced(), Tally(wanted=3)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        opening = Opening(HOURS, say=said.append, clock=Clock(2.0, 3.0, 3.9, 4.0))
        asyncio.run(Buyer(judge, ledger, FAST, tally, opening=opening).run(bundles(tasks(3))))
    assert (tally.ending, tally.scored) == (Ending.DONE, 3)
    assert len(said) == 1
    assert "until Monday 04:00 UTC" in said[0]


def test_an_interrupt_ends_the_waiting_and_nothing_is_sent(tmp_path: Path) -> None:
    judge, tally = Priced(), Tally(wanted=3)

    async def scenario(ledger: Ledger) -> None:
        opening = Opening(HOURS, say=lambda _: running.interrupt(), clock=Clock(2.0))
        running = Buyer(judge, ledger, FAST, tally, opening=opening)
        await running.run(bundles(tasks(3)))

    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        asyncio.run(scenario(ledger))
    assert (tally.ending, tally.calls, judge.asked) == (Ending.INTERRUPTED, 0, [])


@pytest.mark.parametrize(("hour", "share"), [(12, 0.5), (2, 1.0)])
def test_what_is_spent_is_counted_at_the_price_of_the_hour(hour: float, share: float, tmp_path: Path) -> None:
    tally = Tally(wanted=3)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        asyncio.run(Buyer(Priced(), ledger, FAST, tally, clock=Clock(hour)).run(bundles(tasks(3))))
    assert tally.cost_usd == pytest.approx(share * 3 * (50 * 1.0 + 50 * 0.5 + 10 * 2.0) / 1e6)
