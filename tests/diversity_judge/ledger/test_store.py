"""The ledger keeps what it was given, alone and shared, and says when it can't."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from diversity_judge.errors import InputError, RunError
from diversity_judge.judges.base import Reply
from diversity_judge.ledger import Failure, Ledger
from tests.diversity_judge.helpers import reply


async def add(ledger: Ledger, key: str, a_reply: Reply, *, is_last: bool = True) -> None:
    await ledger.add_reply(key, a_reply, is_last=is_last, cost_usd=0.25, host="h", attempt=1, output_limit=99)


def test_replies_come_back_raw_and_in_order(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        asyncio.run(add(ledger, "k", reply("no idea \x00\x1b[2J"), is_last=False))
        asyncio.run(add(ledger, "k", reply(4)))
    with Ledger(tmp_path / "l.sqlite", read_only=True) as ledger:
        first, second = ledger.replies(["k", "other"])["k"]
        assert [first.content, second.content] == ["[Final Score: no idea \x00\x1b[2J]", "[Final Score: 4]"]
        assert (second.prompt_tokens, second.cached_tokens, second.cost_usd, second.output_limit) == (100, 50, 0.25, 99)
        assert ledger.rationale(second.id) == ("because", "[Final Score: 4]")
        assert ledger.last_id() == second.id


def test_many_keys_are_found_at_once(tmp_path: Path) -> None:
    async def add_all(ledger: Ledger) -> None:
        await asyncio.gather(*(add(ledger, f"k{i}", reply(i % 6)) for i in range(1200)))

    with Ledger(tmp_path / "l.sqlite") as ledger:
        asyncio.run(add_all(ledger))
        found = ledger.replies([f"k{i}" for i in range(1200)])
    assert [found[f"k{i}"][0].content for i in range(1200)] == [f"[Final Score: {i % 6}]" for i in range(1200)]


def test_a_key_that_is_asked_for_many_times_has_its_replies_once(tmp_path: Path) -> None:
    """Pairs of the same texts share a key, and a large group's keys are looked for in parts."""
    with Ledger(tmp_path / "l.sqlite") as ledger:
        asyncio.run(add(ledger, "k", reply(3)))
        assert len(ledger.replies(["k", *(f"k{i}" for i in range(1200)), "k"])["k"]) == 1


def test_a_reply_is_on_disk_before_the_wait_for_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    script = f"""
import asyncio, os
from diversity_judge.ledger import Ledger
from tests.diversity_judge.ledger.test_store import add, reply
ledger = Ledger({str(path)!r})
async def main():
    await add(ledger, "k", reply(2))
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[3]).returncode == -9
    with Ledger(path, read_only=True) as ledger:
        assert ledger.replies(["k"])["k"][0].content == "[Final Score: 2]"


def test_a_failure_is_kept_until_a_reply_comes(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        asyncio.run(ledger.give_up("k", Failure("http_500", "HTTP 500", 3)))
        assert ledger.failures(["k", "other"]) == {"k": Failure("http_500", "HTTP 500", 3)}
        asyncio.run(add(ledger, "k", reply(1)))
        assert ledger.failures(["k"]) == {}


def test_a_key_is_granted_to_one_living_run_at_a_time(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as one, Ledger(tmp_path / "l.sqlite") as other:
        assert asyncio.run(one.claim(["a", "b"], newer_than=0)).granted == {"a", "b"}
        claim = asyncio.run(other.claim(["b", "c"], newer_than=0))
        assert (claim.granted, claim.held) == (frozenset({"c"}), frozenset({"b"}))
        asyncio.run(add(one, "b", reply(3)))
        assert asyncio.run(other.claim(["b"], newer_than=0)).answered == {"b"}


def test_a_key_whose_reply_holds_no_score_stays_with_the_run_that_asks_again(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as one, Ledger(tmp_path / "l.sqlite") as other:
        asyncio.run(one.claim(["a"], newer_than=0))
        asyncio.run(add(one, "a", reply("no idea"), is_last=False))
        assert asyncio.run(other.claim(["a"], newer_than=0)).held == {"a"}


def test_giving_up_or_closing_frees_the_claim(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as other:
        with Ledger(tmp_path / "l.sqlite") as one:
            asyncio.run(one.claim(["a", "b"], newer_than=0))
            asyncio.run(one.give_up("a", Failure("timeout", "", 1)))
            assert asyncio.run(other.claim(["a", "b"], newer_than=0)).held == {"b"}
        assert asyncio.run(other.claim(["b"], newer_than=0)).granted == {"b"}


def test_a_run_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    script = f"""
import asyncio, os
from diversity_judge.ledger import Ledger
ledger = Ledger({str(path)!r})
async def main():
    await ledger.claim(["k"], newer_than=0)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[3])
    with Ledger(path) as ledger:
        assert asyncio.run(ledger.claim(["k"], newer_than=0)).granted == {"k"}


def test_a_run_on_another_machine_without_a_heartbeat_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger:
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO claims VALUES ('old', 'dead'), ('new', 'alive')")
            connection.execute("INSERT INTO owners VALUES ('dead', 'elsewhere', 1, 0), ('alive', 'elsewhere', 1, 1e12)")
        claim = asyncio.run(ledger.claim(["old", "new"], newer_than=0))
        assert (claim.granted, claim.held) == (frozenset({"old"}), frozenset({"new"}))


def test_a_new_ledger_may_be_made_by_several_at_once(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"{attempt}.sqlite"
        with ThreadPoolExecutor(8) as pool:
            for ledger in list(pool.map(Ledger, [path] * 8)):
                assert ledger.last_id() == 0
                ledger.close()


def test_what_is_not_a_ledger_is_left_alone(tmp_path: Path) -> None:
    text, other, newer = tmp_path / "a.txt", tmp_path / "b.sqlite", tmp_path / "c.sqlite"
    text.write_text("not a database, but long enough to be read as a header of one" * 20)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    for path, message in ((text, "cannot open"), (other, "not a ledger"), (newer, "version 99")):
        before = path.read_bytes()
        with pytest.raises(InputError, match=message):
            Ledger(path)
        assert path.read_bytes() == before
    with pytest.raises(InputError, match="no ledger here"):
        Ledger(tmp_path / "none.sqlite", read_only=True)


def test_a_full_disk_is_an_error_and_not_a_loss_in_silence(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        asyncio.run(add(ledger, "k", reply(1)))
        with sqlite3.connect(tmp_path / "l.sqlite") as connection:
            connection.execute(
                "CREATE TRIGGER full BEFORE INSERT ON replies BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            )
        with pytest.raises(RunError, match=r"disk is full.*same command again"):
            asyncio.run(add(ledger, "l", reply(1)))
        assert ledger.replies(["k", "l"]).keys() == {"k"}


@pytest.mark.parametrize("error", [OverflowError("too large"), MemoryError(), KeyError("x"), SystemExit(3)])
def test_whatever_breaks_the_writer_wakes_all_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def broken(*_: object) -> None:
        raise error

    async def add_some(ledger: Ledger) -> list[BaseException | None]:
        waiting = [add(ledger, str(number), reply(1)) for number in range(20)]
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
        with pytest.raises(RunError):  # and whoever comes later
            await asyncio.wait_for(add(ledger, "late", reply(1)), 30)
        return outcomes

    for place in ("writer.commit", "writer.connect", "jobs._write"):
        with monkeypatch.context() as patched, Ledger(tmp_path / f"{place}.sqlite") as ledger:
            patched.setattr(f"diversity_judge.ledger.{place}", broken)
            outcomes = asyncio.run(add_some(ledger))
        assert all(isinstance(outcome, RunError) for outcome in outcomes)
        assert "cannot be written" in str(outcomes[0])


def test_one_record_that_cannot_be_written_takes_no_other_with_it(tmp_path: Path) -> None:
    async def add_all(ledger: Ledger) -> list[BaseException | None]:
        replies = [replace(reply(1), prompt_tokens=10**20 if number == 7 else 5) for number in range(20)]
        waiting = [add(ledger, str(number), one) for number, one in enumerate(replies)]
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)

    with Ledger(tmp_path / "l.sqlite") as ledger:
        outcomes = asyncio.run(add_all(ledger))
        assert [type(outcome) for outcome in outcomes] == [RunError if n == 7 else type(None) for n in range(20)]
        assert ledger.replies([str(number) for number in range(20)]).keys() == {str(n) for n in range(20) if n != 7}
