"""A ledger is read where nothing can be written, and one that is damaged or foreign is one line and no traceback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import diversity_judge as dj
from diversity_judge.compare import main as compare
from diversity_judge.errors import DiversityJudgeError, InputError, RunError
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.schema import connect
from diversity_judge.score import main as score
from tests.diversity_judge.helpers import reply
from tests.diversity_judge.ledger.test_store import add
from tests.judge_process import REPOSITORY

NOBODY = 65534
CASES = 60
"""Damaged ledgers, of four kinds; more by hand."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp(prefix="readers-"))
    path.chmod(0o755)
    yield path
    for part in [path, *path.rglob("*")]:
        if part.is_dir():
            part.chmod(0o755)
    shutil.rmtree(path)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing in the folder can be written by this process: root becomes an ordinary user for the time."""
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        assert not os.access(folder, os.W_OK, effective_ids=True)
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_responses(path: Path, n: int = 6) -> Path:
    rows = [{"problem_id": "p", "response": f"add {i} and {i * i}", "correct": i > 1} for i in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path.chmod(0o644)
    return path


def proxy(responses: Path, out: Path, *more: str) -> int:
    return score([str(responses), "--judge", "proxy", "--out", str(out), "--no-heatmaps", "--quiet", *more])


@pytest.fixture
def run(folder: Path) -> Path:
    assert proxy(write_responses(folder / "responses.jsonl"), folder / "run") == 0
    return folder / "run"


def test_a_run_that_cannot_be_written_is_compared_reread_and_priced(
    run: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def use(elsewhere: Path) -> None:
        loaded = dj.load_run(run)
        rationale = loaded.rationale(loaded.groups[0].judgments[0])
        assert rationale is not None
        assert rationale.content.startswith("Proxy judge")
        options = ("--no-figures", "--quiet", "--out", str(elsewhere / "compared"))
        assert compare([str(run), *options]) == 0
        ledger = ("--ledger", str(run / "ledger.sqlite"))
        assert proxy(folder / "responses.jsonl", elsewhere / "again", "--offline", *ledger) == 0
        capsys.readouterr()
        argv = [str(folder / "responses.jsonl"), "--judge", "proxy", "--out", str(run), "--dry-run"]
        assert score(argv) == 0
        assert "15 found in the ledger" in capsys.readouterr().out

    use(folder / "before")  # All that is imported is imported: an ordinary user may not read root's Python.
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere").chmod(0o777)
    before = contents(run)
    with read_only(run):
        use(folder / "elsewhere")
        assert proxy(folder / "responses.jsonl", run, "--offline") == 1
        assert "cannot write" in capsys.readouterr().err
    assert (folder / "elsewhere" / "again" / "pairs.csv").read_bytes() == before["pairs.csv"]
    assert contents(run) == before, "reading changed the folder, or left something there"


def unfinished_log(folder: Path) -> Path:
    """A ledger whose one reply stands in the log only, as a kill leaves it."""
    path = folder / "log" / "l.sqlite"
    script = f"""
import asyncio, os
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.schema import connect
from tests.diversity_judge.ledger.test_store import add, reply
ledger = Ledger({str(path)!r})
async def main():
    await add(ledger, "k", reply(2))
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", script], check=False, cwd=REPOSITORY)
    assert path.with_name("l.sqlite-wal").stat().st_size
    return path


@pytest.mark.parametrize("index", ["there", "lost"])
def test_what_a_killed_run_left_in_the_log_is_read_where_nothing_can_be_written(folder: Path, index: str) -> None:
    path = unfinished_log(folder)
    if index == "lost":
        path.with_name("l.sqlite-shm").unlink()
    before = contents(path.parent)
    with read_only(path.parent), Ledger(path, read_only=True) as ledger:
        assert ledger.replies(["k"])["k"][0].content == "[Final Score: 2]"
    assert contents(path.parent) == before


def test_a_living_run_is_read_by_one_who_may_not_write(folder: Path) -> None:
    path = folder / "living" / "l.sqlite"
    with Ledger(path) as writer:
        asyncio.run(add(writer, "k", reply(2)))
        with read_only(path.parent), Ledger(path, read_only=True) as ledger:
            assert ledger.replies(["k"])["k"][0].content == "[Final Score: 2]"


def test_reading_alone_writes_nothing_where_it_could(run: Path, folder: Path) -> None:
    before = contents(run)
    with Ledger(run / "ledger.sqlite", read_only=True) as ledger:
        assert ledger.last_id() == 15
        with pytest.raises(ValueError, match="read only"):
            asyncio.run(add(ledger, "k", reply(2)))
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            ledger._reader.execute("DELETE FROM replies")
    assert proxy(folder / "responses.jsonl", run, "--dry-run") == 0
    assert contents(run) == before


def test_an_empty_file_reads_as_an_empty_ledger_and_stays_empty(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    path.touch()
    with Ledger(path, read_only=True) as ledger:
        assert (ledger.last_id(), ledger.replies(["k"]), ledger.failures(["k"])) == (0, {}, {})
    assert path.read_bytes() == b""
    assert [p.name for p in tmp_path.iterdir()] == ["l.sqlite"]


def test_a_foreign_file_that_calls_itself_a_ledger_is_none(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE replies (id INTEGER PRIMARY KEY, key TEXT)")
        connection.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    for how in (False, True):
        with pytest.raises(InputError, match="is not a ledger"):
            Ledger(path, read_only=how)
    assert path.read_bytes() == before


def test_what_is_quoted_of_a_damaged_reply_is_one_line(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        asyncio.run(add(ledger, "k", reply(2)))
    with contextlib.closing(sqlite3.connect(tmp_path / "l.sqlite")) as connection, connection:
        connection.execute("UPDATE replies SET content = CAST(x'410aff0a1b5b324a' AS TEXT)")
    with Ledger(tmp_path / "l.sqlite", read_only=True) as ledger, pytest.raises(InputError) as refused:
        ledger.replies(["k"])
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("column", ["content", "prompt_tokens", "cost_usd", "finish_reason"])
def test_a_reply_of_the_wrong_type_is_damage(tmp_path: Path, column: str) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        asyncio.run(add(ledger, "k", reply(2)))
    with contextlib.closing(sqlite3.connect(tmp_path / "l.sqlite")) as connection, connection:
        connection.execute(f"UPDATE replies SET {column} = x'ff'")
    with (
        Ledger(tmp_path / "l.sqlite", read_only=True) as ledger,
        pytest.raises(InputError, match=r"l\.sqlite: the ledger cannot be read .*wrong types.*--ledger"),
    ):
        ledger.replies(["k"])


def test_damage_that_shows_after_something_was_paid_is_no_bad_input(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        asyncio.run(add(ledger, "k", reply(2)))
        with contextlib.closing(sqlite3.connect(tmp_path / "l.sqlite")) as connection, connection:
            connection.execute("UPDATE replies SET content = x'ff'")
        with pytest.raises(RunError, match="wrong types"):
            ledger.replies(["k"])


def damaged(whole: bytes, case: int) -> bytes:
    """A ledger that is cut, or of which some bytes, a page or the whole middle were lost."""
    generator = random.Random(case)
    broken = bytearray(whole)
    kind = case % 4
    if kind == 0:
        return bytes(broken[: generator.randrange(1, len(broken))])
    if kind == 1:
        for _ in range(generator.choice((1, 10, 100))):
            broken[generator.randrange(len(broken))] = generator.randrange(256)
    elif kind == 2:
        page = 4096 * generator.randrange(len(broken) // 4096)
        broken[page : page + 4096] = generator.choice((bytes(4096), generator.randbytes(4096)))
    else:
        broken[100:] = generator.randbytes(len(broken) - 100)
    return bytes(broken)


def test_no_damage_ends_in_a_traceback(run: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (run / "ledger.sqlite").read_bytes()
    refused = 0
    for case in range(CASES):
        for path in run.glob("ledger.sqlite*"):
            path.unlink()
        (run / "ledger.sqlite").write_bytes(damaged(whole, case))
        capsys.readouterr()
        code = proxy(folder / "responses.jsonl", folder / "again", "--offline", "--ledger", str(run / "ledger.sqlite"))
        said = capsys.readouterr().err
        assert code in (0, 1, 2, 3), case
        assert (said.count("\n") == 1 and "ledger.sqlite" in said) if code in (1, 2) else said == "", case
        refused += code == 2
        with contextlib.suppress(DiversityJudgeError):
            loaded = dj.load_run(run)
            loaded.rationales(loaded.groups[0].judgments)
        code = proxy(folder / "responses.jsonl", folder / "more", "--ledger", str(run / "ledger.sqlite"), "--overwrite")
        said = capsys.readouterr().err
        assert code in (0, 1, 2, 3), case
        assert said.count("\n") == (code in (1, 2)), case
    assert refused > CASES / 2, "most damages were not seen: the test shows little"


def test_the_dead_are_removed_with_what_they_claimed(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger(path), contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO claims VALUES ('a', 'dead'), ('b', 'gone'), ('c', 'alive')")
        connection.execute(
            "INSERT INTO owners VALUES ('dead', 'elsewhere', 1, 0), ('gone', ?, 99999999, 1e12), "
            "('alive', 'elsewhere', 1, 1e12)",
            (os.uname().nodename,),
        )
    with Ledger(path) as ledger:
        asyncio.run(add(ledger, "k", reply(2)))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT owner FROM owners").fetchall() == [("alive",)]
        assert connection.execute("SELECT key FROM claims").fetchall() == [("c",)]


@pytest.mark.parametrize("life", ["'x', 'y', 'z'", "NULL, NULL, NULL", "'elsewhere', 1, 'late'", "?, x'00', 1e12"])
def test_an_owner_that_no_run_has_written_keeps_no_other_dead_one_alive(tmp_path: Path, life: str) -> None:
    """As a damaged ledger has them, or one that another program wrote to: nobody works behind such a row."""
    path = tmp_path / "l.sqlite"
    with Ledger(path), contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'owners'")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO claims VALUES ('k', 'odd'), ('b', 'dead')")
        node = (os.uname().nodename,) if "?" in life else ()
        connection.execute(f"INSERT INTO owners VALUES ('odd', {life}), ('dead', 'elsewhere', 1, 0)", node)
    with Ledger(path) as ledger:
        assert asyncio.run(ledger.claim(["k"], newer_than=0)).granted == {"k"}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT owner FROM owners").fetchall() == []
        assert connection.execute("SELECT key FROM claims").fetchall() == []


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name a file in it with --ledger"):
        Ledger(tmp_path)


def test_a_run_that_was_taken_for_dead_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger, contextlib.closing(connect(path)) as connection:
        asyncio.run(ledger.claim(["k"], newer_than=0))
        connection.execute("DELETE FROM owners")
        assert ledger._writer is not None
        ledger._writer._show_life(connection)
        assert connection.execute("SELECT owner FROM owners").fetchall() == [(ledger.owner,)]
