"""Checkpoints are patched in place: bytes outside of what was trained stay, and nothing half is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import load_file, save_file  # noqa: E402

from diversity_judge.errors import InputError, RunError  # noqa: E402
from generation.router_training import checkpoint as checkpoints  # noqa: E402
from generation.router_training.checkpoint import Checkpoint, compare, write_updated  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards of several types, an index, and files beside them."""
    place = tmp_path / "old"
    (place / "sub").mkdir(parents=True)
    first = {"a.weight": torch.randn(3, 5), "gate.weight": torch.randn(4, 2).bfloat16(), "z": torch.arange(7)}
    second = {"gate.bias": torch.randn(4).half(), "b.weight": torch.randn(2, 2).double()}
    save_file(first, place / "model-00001-of-00002.safetensors", metadata={"format": "pt"})
    save_file(second, place / "model-00002-of-00002.safetensors")
    (place / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    (place / "config.json").write_text("{}")
    (place / "README.md").write_text("the old card")
    (place / "sub" / "more.txt").write_text("x")
    return place


CHANGED = {"gate.weight": torch.ones(4, 2, dtype=torch.bfloat16), "gate.bias": torch.full((4,), 0.5).half()}


def test_only_the_named_tensors_differ(folder: Path, tmp_path: Path) -> None:
    write_updated(Checkpoint.read(folder), CHANGED, {"README.md": "new card", "more.json": "{}"}, tmp_path / "new")
    new = tmp_path / "new"
    for shard in sorted(folder.glob("*.safetensors")):
        old, found = load_file(shard), load_file(new / shard.name)
        assert list(old) == list(found)
        for name, value in old.items():
            assert torch.equal(found[name], CHANGED.get(name, value))
            assert found[name].dtype == value.dtype
        assert (new / shard.name).stat().st_size == shard.stat().st_size
    assert (new / "sub" / "more.txt").read_text() == "x"
    assert (new / "README.md").read_text() == "new card"
    assert (new / "README.original.md").read_text() == "the old card"
    assert (folder / "README.md").read_text() == "the old card"
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}


def test_links_become_files(folder: Path, tmp_path: Path) -> None:
    """A hub's cache holds links; a patch through one would change the old checkpoint."""
    linked = tmp_path / "cache"
    linked.mkdir()
    for path in folder.glob("*.*"):
        (linked / path.name).symlink_to(path)
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    write_updated(Checkpoint.read(linked), CHANGED, {}, tmp_path / "new")
    assert not any(path.is_symlink() for path in (tmp_path / "new").iterdir())
    assert before == {path: path.read_bytes() for path in folder.glob("*.*")}


def test_a_byte_that_differs_elsewhere_is_found(folder: Path, tmp_path: Path) -> None:
    old, new = Checkpoint.read(folder), tmp_path / "new"
    write_updated(old, CHANGED, {}, new)
    compare(old, new, CHANGED)
    for name in ("a.weight", "z"):
        place = old.place(name)
        data = bytearray((new / place.file).read_bytes())
        data[place.end - 1] ^= 1
        whole = (new / place.file).read_bytes()
        (new / place.file).write_bytes(data)
        with pytest.raises(RunError, match="differs from the old checkpoint in more than"):
            compare(old, new, CHANGED)
        (new / place.file).write_bytes(whole)
    with pytest.raises(RunError, match="was not written as it was trained"):
        compare(old, new, CHANGED | {"gate.bias": torch.zeros(4).half()})


def test_a_failure_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RunError("differs")

    monkeypatch.setattr(checkpoints, "compare", fail)
    with pytest.raises(RunError, match="differs"):
        write_updated(Checkpoint.read(folder), CHANGED, {}, tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


KILLED = """
import os, sys
from pathlib import Path
from generation.router_training import checkpoint as checkpoints
checkpoints.compare = lambda *arguments: os.kill(os.getpid(), 9)
old = checkpoints.Checkpoint.read(Path(sys.argv[1]))
checkpoints.write_updated(old, {"gate.bias": old.tensor("gate.bias")}, {}, Path(sys.argv[2]))
"""


def test_a_kill_leaves_no_checkpoint_and_the_next_run_clears_up(folder: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(new)], check=False)
    assert killed.returncode == -9
    assert not new.exists()
    assert len([path for path in tmp_path.iterdir() if path.name.startswith(".new.")]) == 1
    write_updated(Checkpoint.read(folder), CHANGED, {}, new)
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}


def test_what_is_there_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("x")
    with pytest.raises(InputError, match="exists and is not empty"):
        write_updated(Checkpoint.read(folder), CHANGED, {}, tmp_path / "new")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no \\*.safetensors in it"),
        (b"", "not a file in the safetensors format"),
        (b"\xff" * 20, "its header is longer than any"),
        ((20).to_bytes(8, "little") + b'{"a": {"dtype": 3} }', "not a file in the safetensors format"),
        ((4).to_bytes(8, "little") + b"{}  ", "holds no tensor gate"),
    ],
)
def test_damaged_checkpoints_are_said(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=message):
        Checkpoint.read(tmp_path).tensor("gate")


def test_a_type_that_cannot_be_trained_is_said(folder: Path) -> None:
    with pytest.raises(InputError, match="a tensor of type I64 can't be trained"):
        Checkpoint.read(folder).tensor("z")


def test_headers_are_read_as_the_library_reads_them(folder: Path) -> None:
    checkpoint = Checkpoint.read(folder)
    for shard in folder.glob("*.safetensors"):
        for name, value in load_file(shard).items():
            if value.dtype.is_floating_point:
                assert torch.equal(checkpoint.tensor(name), value)
    assert json.loads((folder / "config.json").read_text()) == {}
