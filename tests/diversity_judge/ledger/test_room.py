"""A ledger that cannot be opened because there is no room for it says so, and gives no advice for a damaged one."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diversity_judge.ledger.room import ROOM_BYTES, is_out_of_room
from tests.judge_process import REPOSITORY

OPEN = """
import sys
from diversity_judge.errors import InputError
from diversity_judge.ledger import Ledger
try:
    Ledger(sys.argv[1]).close()
except InputError as error:
    sys.exit(str(error))
"""
NO_ROOM = "the disk is full, or a quota or ulimit -f is reached: make room, or name another place with --ledger"


def opened(path: Path, *, longest_file: int | None = None) -> str:
    """What opening a ledger says, in a process whose files cannot be longer."""

    def limit() -> None:
        if longest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (longest_file, longest_file))

    command = [sys.executable, "-c", OPEN, str(path)]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    return done.stderr.strip()


@pytest.mark.parametrize("n_bytes", [0, 2_000, 20_000])
def test_where_files_cannot_grow_that_is_said(tmp_path: Path, n_bytes: int) -> None:
    """A limit on a file's size fails as a full disk does, and can be set anywhere; SQLite calls it an I/O error."""
    said = opened(tmp_path / "ledger.sqlite", longest_file=n_bytes)
    assert said.startswith(f"{tmp_path / 'ledger.sqlite'}: cannot open the ledger: ")
    assert said.endswith(NO_ROOM)
    assert ".recover" not in said
    assert opened(tmp_path / "ledger.sqlite") == ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount on this system")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("free", [0, 4096, 8192, 24576, 40960])
def test_a_disk_that_is_full_is_said_to_be_full_wherever_that_is_met(small_disk: Path, free: int) -> None:
    (small_disk / "other").write_bytes(bytes(65536 - free))
    assert opened(small_disk / "ledger.sqlite").endswith(NO_ROOM)


def test_a_damaged_ledger_is_not_called_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    assert opened(path) == ""
    path.write_bytes(path.read_bytes()[:100] + os.urandom(path.stat().st_size - 100))
    assert ".recover" in opened(path)
    assert not is_out_of_room(path, OSError(5, "Input/output error"))


def test_the_room_that_is_looked_for_is_what_a_new_ledger_takes(tmp_path: Path) -> None:
    """Between the size at which a ledger can just be made and twice that."""
    path = tmp_path / "ledger.sqlite"
    fits = next(n for n in range(32_768, 2 * ROOM_BYTES, 8_192) if not opened(path, longest_file=n))
    assert fits <= ROOM_BYTES <= 4 * fits
