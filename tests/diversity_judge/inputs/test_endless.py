"""Inputs without an end: each is refused in a sentence, long before the memory is gone."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from diversity_judge import files
from diversity_judge.errors import InputError
from diversity_judge.files import read_bounded
from diversity_judge.inputs import jsonl, opening, tabular
from diversity_judge.inputs.opening import LONGEST_LINE
from diversity_judge.inputs.reading import read_responses
from diversity_judge.labelling.key import read_key
from diversity_judge.runs.anchors import read_anchors
from generation.grade import main as grade
from generation.problems import read_problems

ROW = json.dumps({"problem_id": "p", "response": "x"}).encode() + b"\n"
ZERO = Path("/dev/zero")


@contextmanager
def endless(path: Path, data: bytes) -> Iterator[Path]:
    """A pipe into which the data is written again and again until its reader leaves."""
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError), path.open("wb") as pipe:
            for _ in itertools.count():
                pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield path
    finally:
        writer.join()


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are of a size that takes seconds to reach."""
    monkeypatch.setattr(jsonl, "MOST_LINES", 1000)
    monkeypatch.setattr(tabular, "_MOST_TEXT_LINES", 1000)
    for module in (opening, tabular):
        monkeypatch.setattr(module, "LONGEST_FILE", 1 << 20)


@pytest.mark.skipif(not ZERO.exists(), reason="no /dev/zero")
@pytest.mark.parametrize("format", ["auto", "csv"])
def test_a_line_without_an_end(format: str) -> None:
    with pytest.raises(InputError, match=r"/dev/zero:1: a line of more than 128 MiB, or without an end"):
        read_responses(ZERO, format=format)


def test_a_line_of_the_longest_length_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LONGEST_LINE", len(ROW))
    path = tmp_path / "r.jsonl"
    path.write_bytes(ROW * 3)
    assert read_responses(path).n_responses == 3
    path.write_bytes(ROW * 2 + ROW.replace(b"x", b"xy"))
    with pytest.raises(InputError, match=r"r\.jsonl:3: a line of more than"):
        read_responses(path)
    assert LONGEST_LINE > 20 * 5_000_000  # a response of a million tokens


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"y\n", "r.jsonl", "r.jsonl:1: not valid JSON"),
        (b"\xff\n", "r.jsonl", "r.jsonl:1: not valid UTF-8"),
        (b"\n", "r.jsonl", "r.jsonl:1001: more than 1,000 lines, or without an end; name a part of it"),
        (ROW, "r.jsonl", "r.jsonl:1001: more than 1,000 lines, or without an end"),
        (b"[\n", "r.json", "r.json: longer than 1,024 MiB, or without an end"),
        (b"y\n", "r.csv", "r.csv: longer than 1,024 MiB, or without an end"),
        (b"y" * 60_000 + b"\n", "r.csv", "r.csv: longer than 1,024 MiB, or without an end"),
    ],
)
def test_a_pipe_without_an_end(tmp_path: Path, data: bytes, name: str, said: str) -> None:
    with endless(tmp_path / name, data) as path, pytest.raises(InputError) as caught:
        read_responses(path)
    assert said.replace("1,024 MiB", "1 MiB") in str(caught.value)


@pytest.mark.skipif(not ZERO.exists(), reason="no /dev/zero")
def test_files_that_are_read_as_a_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(read_bounded, "__defaults__", (1 << 20,))
    with pytest.raises(InputError, match=r"/dev/zero: cannot read the problems: .*longer than 1 MiB"):
        read_problems(ZERO)
    with pytest.raises(InputError, match=r"/dev/zero: cannot read the key: .*longer than 1 MiB"):
        read_key(ZERO)
    with pytest.raises(InputError, match=r"/dev/zero: cannot read the anchors: .*longer than 1 MiB"):
        read_anchors(ZERO)
    assert grade([str(ZERO)]) == 2
    assert "longer than 1 MiB, or without an end" in " ".join(capsys.readouterr().err.split())


def test_a_file_of_the_longest_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    assert read_bounded(path, 4) == b"1234"
    with pytest.raises(OSError, match="longer than"):
        read_bounded(path, 3)
    assert files.LONGEST_FILE == 1 << 30
