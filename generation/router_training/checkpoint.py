"""Checkpoints in safetensors, patched: the bytes of a few tensors are replaced, every other byte stays.

    8 bytes: length of the header | header, JSON: name -> dtype, shape, first and last byte | the tensors' bytes

(https://github.com/huggingface/safetensors, "Format".) A new value has the dtype and shape of the old one, so it fits
into its place: names, shards, order and metadata are those of the old file by construction, and whether anything else
has changed is a comparison of bytes. The new folder appears under its name once it is whole, compared and on the disk.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diversity_judge.errors import InputError, RunError
from diversity_judge.files import is_running

_DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
"""Those that a trained tensor may have; all others are copied only."""
_LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""
_CHUNK = 1 << 26
_NOT_COPIED = (".git", ".cache")
_OLD_CARD = "README.original.md"


@dataclass(frozen=True)
class TensorPlace:
    """Where a tensor lies.

    Attributes:
        file: Its file, by name below the checkpoint's folder.
        dtype: As the format calls it.
        shape: Its shape.
        start: Its first byte in the file.
        end: The byte after its last.
    """

    file: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def torch_dtype(self) -> torch.dtype:
        """The same in torch.

        Raises:
            InputError: it is none that can be trained.
        """
        if self.dtype not in _DTYPES:
            raise InputError(
                f"{self.file}: a tensor of type {self.dtype} can't be trained; of {', '.join(_DTYPES)} it can"
            )
        return _DTYPES[self.dtype]


@dataclass(frozen=True)
class Checkpoint:
    """A folder of safetensors files.

    Attributes:
        folder: Where it is.
        places: Every tensor by its name.
    """

    folder: Path
    places: Mapping[str, TensorPlace]

    @classmethod
    def read(cls, folder: Path) -> Checkpoint:
        """Read the headers.

        Raises:
            InputError: there is no safetensors file, or one is damaged.
        """
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise InputError(f"{folder}: no *.safetensors in it; other formats of weights are not written")
        return cls(folder, {name: place for file in files for name, place in _header(file)})

    def place(self, name: str) -> TensorPlace:
        """Where a tensor is.

        Raises:
            InputError: there is none of this name.
        """
        if name not in self.places:
            raise InputError(f"{self.folder}: holds no tensor {name}; is it stored in another format or quantised?")
        return self.places[name]

    def tensor(self, name: str) -> Tensor:
        """A tensor as it is stored.

        Raises:
            InputError: there is none of this name, or it is of a type that can't be trained.
        """
        place = self.place(name)
        with (self.folder / place.file).open("rb") as file:
            file.seek(place.start)
            data = bytearray(file.read(place.end - place.start))
        return torch.frombuffer(data, dtype=place.torch_dtype).reshape(place.shape)


def refuse_taken(out: Path) -> None:
    """Refuse a folder that holds something already.

    Raises:
        InputError: it does.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not empty; name another folder with --out, or remove it")


def write_updated(checkpoint: Checkpoint, changed: Mapping[str, Tensor], texts: Mapping[str, str], out: Path) -> None:
    """Write a checkpoint that differs from another in a few tensors.

    Args:
        checkpoint: The other one.
        changed: New values by name, of the stored shape and type.
        texts: Further files by name; an older README.md is kept as README.original.md.
        out: The new folder.

    Raises:
        InputError: `out` exists.
        RunError: the disk does not take it, or what was written differs elsewhere.
    """
    refuse_taken(out)
    try:
        with _appearing(out) as begun:
            _copy(checkpoint.folder, begun)
            if (begun / "README.md").exists():
                (begun / "README.md").rename(begun / _OLD_CARD)
            for name, value in changed.items():
                _patch(begun, checkpoint.place(name), value)
            for name, text in texts.items():
                (begun / name).write_bytes(text.encode())
            compare(checkpoint, begun, changed)
    except OSError as error:
        raise RunError(f"{out}: the checkpoint can't be written: {error}") from error


def compare(checkpoint: Checkpoint, folder: Path, changed: Mapping[str, Tensor]) -> None:
    """Check that a copy holds the new values, and that every other byte of its weights is the old one's.

    Raises:
        RunError: it is not so.
    """
    copy = Checkpoint.read(folder)
    if copy.places != checkpoint.places:
        raise RunError(f"{folder}: its tensors are not those of {checkpoint.folder}")
    for name, value in changed.items():
        if not torch.equal(_bits(copy.tensor(name)), _bits(value)):
            raise RunError(f"{folder}: {name} was not written as it was trained")
    for file in sorted({place.file for place in checkpoint.places.values()}):
        replaced = sorted((p.start, p.end) for p in map(checkpoint.place, changed) if p.file == file)
        if not _same_elsewhere(checkpoint.folder / file, folder / file, replaced):
            raise RunError(f"{folder / file}: differs from the old checkpoint in more than what was trained")


def _header(file: Path) -> Iterator[tuple[str, TensorPlace]]:
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if length > _LONGEST_HEADER:
                raise ValueError("its header is longer than any")
            header: dict[str, Any] = json.loads(opened.read(length).decode("utf-8"))
            for name, entry in header.items():
                if name != "__metadata__":
                    first, last = entry["data_offsets"]
                    yield (
                        name,
                        TensorPlace(
                            file.name, entry["dtype"], tuple(entry["shape"]), 8 + length + first, 8 + length + last
                        ),
                    )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{file}: not a file in the safetensors format: {error}") from error


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A folder beside the wanted one, which takes its name at the end; without an end it is removed, if not killed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(out)
    begun = _begun(out, str(os.getpid()))
    begun.mkdir()
    try:
        yield begun
        for path in (*begun.rglob("*"), begun):
            _to_disk(path)
        begun.rename(out)
        _to_disk(out.parent)
    finally:
        shutil.rmtree(begun, ignore_errors=True)


def _begun(out: Path, process: str) -> Path:
    return out.with_name(f".{out.name}.{process}.tmp")


def _remove_leftovers(out: Path) -> None:
    """Remove what killed processes have left of this checkpoint."""
    for path in out.parent.iterdir():
        process = path.name.removeprefix(f".{out.name}.").removesuffix(".tmp")
        if path == _begun(out, process) and process.isdecimal() and not is_running(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy all files; links (a hub's cache has them) become files."""
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    for path in target.rglob("*"):
        path.chmod(path.stat().st_mode | 0o600)


def _patch(folder: Path, place: TensorPlace, value: Tensor) -> None:
    data = _bits(value).numpy().tobytes()
    if value.dtype != place.torch_dtype or tuple(value.shape) != place.shape or len(data) != place.end - place.start:
        raise RunError(f"{place.file}: a trained tensor has become another type or shape than it had")
    with (folder / place.file).open("r+b") as file:
        file.seek(place.start)
        file.write(data)


def _bits(value: Tensor) -> Tensor:
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)


def _same_elsewhere(first: Path, second: Path, replaced: Sequence[tuple[int, int]]) -> bool:
    """Whether two files are equal outside of some ranges of bytes, which are given in order."""
    size = first.stat().st_size
    if second.stat().st_size != size:
        return False
    starts = [0, *(end for _, end in replaced)]
    ends = [*(start for start, _ in replaced), size]
    with first.open("rb") as one, second.open("rb") as other:
        return all(_same_range(one, other, start, end) for start, end in zip(starts, ends, strict=True))


def _same_range(one: Any, other: Any, start: int, end: int) -> bool:
    one.seek(start)
    other.seek(start)
    while start < end:
        length = min(_CHUNK, end - start)
        if one.read(length) != other.read(length):
            return False
        start += length
    return True


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
