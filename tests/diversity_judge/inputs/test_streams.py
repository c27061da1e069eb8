"""Inputs that can be read only once and only forwards: pipes, standard input, process substitution."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diversity_judge.errors import InputError
from diversity_judge.inputs.opening import default_name, opened
from diversity_judge.inputs.reading import read_responses

ROWS = [{"problem_id": "p", "strategy": "s", "response": f"step {i} " * 4000} for i in range(53)]
"""1.5 MB: many times what a pipe holds, so that a second opening would find a part of it only."""
DATA = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


@contextmanager
def fed(path: Path, data: bytes) -> Iterator[Path]:
    """A named pipe into which the data is written once."""
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb") as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield path
    finally:
        writer.join()


def score(arguments: list[str], folder: Path, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "diversity_judge.score", *arguments, "--judge", "proxy", "--no-heatmaps"]
    root = Path(__file__).parents[3]
    return subprocess.run(
        command,
        input=data,
        cwd=folder,
        capture_output=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONPATH": str(root)},
    )


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_pipe_gives_what_its_file_gives(tmp_path: Path, compress: type[bytes]) -> None:
    data = compress(DATA)
    file = tmp_path / "r.jsonl"
    file.write_bytes(data)
    expected = read_responses(file)
    with fed(tmp_path / "pipe", data) as pipe:
        read = read_responses(pipe)
    assert read.n_responses == 53
    assert read.groups == expected.groups
    digest = hashlib.sha256(data).hexdigest()
    assert [one.sha256 for one in (*read.inputs, *expected.inputs)] == [digest, digest]


def test_a_table_comes_through_a_pipe(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "r.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), file)
    data = file.read_bytes()
    with fed(tmp_path / "pipe", data) as pipe:
        assert read_responses(pipe).groups == read_responses(file).groups
    assert read_responses(file).inputs[0].sha256 == hashlib.sha256(data).hexdigest()


def test_the_hash_is_of_all_bytes_also_of_those_behind_the_rows(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_bytes(DATA)
    with opened(file) as found:
        next(iter(found.lines()))
        assert found.sha256() == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_scored_whole(tmp_path: Path, name: str) -> None:
    done = score([name], tmp_path, DATA)
    assert done.returncode == 0, done.stderr.decode()
    manifest = json.loads((tmp_path / "results" / "stdin" / "run.json").read_text())
    assert manifest["judgments"]["responses"] == 53
    assert manifest["inputs"] == [{"path": name, "sha256": hashlib.sha256(DATA).hexdigest()}]


def test_a_descriptor_of_a_pipe_is_scored_whole(tmp_path: Path) -> None:
    """What the shell passes for `<(command)`."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(DATA)

    writer = threading.Thread(target=write)
    writer.start()
    read = read_responses(f"/dev/fd/{reading}")
    os.close(reading)
    writer.join()
    assert read.n_responses == 53


@pytest.mark.parametrize("names", [["-", "-"], ["-", "/dev/stdin"]])
def test_a_stream_named_twice_is_refused(tmp_path: Path, names: list[str]) -> None:
    done = score(names, tmp_path, DATA)
    assert done.returncode == 2
    assert b"name it once" in done.stderr


def test_a_pipe_named_twice_is_refused_before_it_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="name it once"):
        read_responses([pipe, pipe])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("-", "stdin"),
        ("/dev/stdin", "stdin"),
        ("/proc/self/fd/0", "stdin"),
        ("/dev/fd/63", "stream"),
        ("data/responses.jsonl.gz", "responses"),
        ("a/b", "b"),
    ],
)
def test_what_is_made_of_an_input_is_named_after_it(path: str, name: str) -> None:
    assert default_name(Path(path)) == name


@pytest.mark.parametrize(
    ("magic", "said"),
    [
        (b"\x28\xb5\x2f\xfd1234", "Zstandard"),
        (b"BZh91AY", "bzip2 -dc"),
        (b"\xfd7zXZ\x00", "xz -dc"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"PK\x03\x04 and no more", "not a readable archive"),
    ],
)
def test_what_is_surely_no_input_is_called_by_its_name(tmp_path: Path, magic: bytes, said: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(magic)
    with pytest.raises(InputError, match=said):
        read_responses(path)
