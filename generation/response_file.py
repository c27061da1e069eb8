"""The file that sampled responses are appended to: what is in it is whole, on disk, and there once.

A run of days is killed by a full queue or a power cut. So a line is written with one call, synced before it
counts, and a torn last line is cut off on the next start. A manifest beside the file says what the lines
were sampled with; a resume with other settings would mix two experiments in one file and is refused. Without a line
there is nothing to mix: a run that wrote none leaves no file, and a manifest alone binds nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError, RunError

FORMAT = 1


@dataclass(frozen=True)
class SampleKey:
    """What makes a response unique in a file."""

    problem_id: str
    strategy: str
    sample: int


@dataclass(frozen=True)
class Manifest:
    """What a file's responses were sampled with.

    Attributes:
        settings: Must not change in a resume: model, seed, longest response, ...
        strategies: Settings by name; a resume may add names.
        problems: Digests by problem id; a resume may add problems.
        prompts: Digests by problem kind; a resume may add kinds.
    """

    settings: Mapping[str, Any]
    strategies: Mapping[str, Any]
    problems: Mapping[str, str]
    prompts: Mapping[str, str]

    def conflict(self, earlier: Mapping[str, Any]) -> str | None:
        """The first thing that an earlier run's manifest has otherwise, in words; None if they agree."""
        before = earlier.get("settings", {})
        for name, value in self.settings.items():
            if name in before and before[name] != value:
                return f"{name} was {before[name]!r} and is now {value!r}"
        for what, values in (
            ("strategy", self.strategies),
            ("problem", self.problems),
            ("prompt format for", self.prompts),
        ):
            section = earlier.get(_SECTIONS[what], {})
            for name, value in values.items():
                if name in section and section[name] != value:
                    return f"the {what} {name!r} is not the same as before"
        return None

    def merged_with(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        """This manifest's content with what earlier runs added."""
        return {
            "format": FORMAT,
            "settings": dict(earlier.get("settings", {})) | dict(self.settings),
            "strategies": dict(earlier.get("strategies", {})) | dict(self.strategies),
            "problems": dict(earlier.get("problems", {})) | dict(self.problems),
            "prompts": dict(earlier.get("prompts", {})) | dict(self.prompts),
            "runs": list(earlier.get("runs", [])),
        }


_SECTIONS = {"strategy": "strategies", "problem": "problems", "prompt format for": "prompts"}


def manifest_path(path: Path) -> Path:
    """Where the manifest of a responses file is."""
    return path.with_suffix(".manifest.json")


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest beside a responses file, or None if there is none.

    Raises:
        InputError: it is there, but it is not a manifest of this version.
    """
    place = manifest_path(path)
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{place}: cannot read the manifest: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{place}: not a manifest of format {FORMAT}; choose another --out")
    return content


def finished_samples(path: Path) -> frozenset[SampleKey]:
    """The samples whose lines are whole. A torn last line is passed over; nothing is changed.

    Raises:
        InputError: a line before the last is not a response of this command, or one occurs twice.
    """
    found: set[SampleKey] = set()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            key = _key_of(line, f"{path}:{number}")
            if key in found:
                raise InputError(f"{path}:{number}: {key} is in the file twice; take one of the lines out")
            found.add(key)
    return frozenset(found)


class ResponseFile:
    """A responses file open for appending, locked against a second run."""

    def __init__(self, descriptor: int, path: Path, finished: frozenset[SampleKey]) -> None:
        self._descriptor = descriptor
        self._path = path
        self._size = os.fstat(descriptor).st_size
        self.finished = finished

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write responses, each a line, and sync them; all of them or, on an error, none.

        Raises:
            RunError: the disk refuses.
        """
        data = b"".join(
            json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"
            for row in rows
        )
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            raise RunError(f"{self._path}: cannot write: {error}; a resume continues from here") from error
        self._size += len(data)


@contextmanager
def open_response_file(path: Path, manifest: Manifest, run: Mapping[str, Any]) -> Iterator[ResponseFile]:
    """Open a responses file for a run: lock it, mend it, check and write its manifest.

    Args:
        path: The file; made if it does not exist.
        manifest: What this run samples with.
        run: What is noted about this run (date, versions, ...) beside those before it.

    Raises:
        InputError: the file is not of this command, or was sampled with other settings.
        RunError: another run writes to it, or the disk refuses.
    """
    made_here = not path.exists()
    descriptor = _open_locked(path)
    try:
        earlier = check_resume(path, manifest)
        _cut_torn_line(descriptor)
        content = manifest.merged_with(earlier or {})
        content["runs"].append(dict(run))
        write_atomically(manifest_path(path), json.dumps(content, ensure_ascii=False, indent=1) + "\n")
        yield ResponseFile(descriptor, path, finished_samples(path))
    finally:
        if made_here and os.fstat(descriptor).st_size == 0:
            path.unlink(missing_ok=True)
            manifest_path(path).unlink(missing_ok=True)
        os.close(descriptor)


def _open_locked(path: Path) -> int:
    """Open the file that this path names, locked.

    Raises:
        InputError: it cannot be opened.
        RunError: another run writes to it.
    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(f"{path}: cannot be opened for writing: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise RunError(f"{path}: another run is writing to it") from error
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # a run that wrote nothing took its file away between the two calls


def check_resume(path: Path, manifest: Manifest) -> dict[str, Any] | None:
    """Whether a run may append to a file; the earlier manifest, if there is one.

    Raises:
        InputError: it may not; the message names what differs.
    """
    earlier = read_manifest(path)
    if earlier is None:
        if path.exists() and path.stat().st_size:
            raise InputError(
                f"{path} exists, but without {manifest_path(path).name} beside it: this command did not "
                "write it; choose another --out"
            )
        return None
    if not _has_lines(path):
        return None
    difference = manifest.conflict(earlier)
    if difference is not None:
        raise InputError(f"{path} cannot be resumed: {difference}; use the former value or another --out")
    return earlier


def _has_lines(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.readline().endswith(b"\n")
    except FileNotFoundError:
        return False


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content so that no reader ever sees a part of it, nor a crash leaves one.

    Raises:
        RunError: the disk refuses.
    """
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise RunError(f"{path}: cannot write: {error}") from error


def _cut_torn_line(descriptor: int) -> None:
    """Cut off what a killed run wrote of its last line."""
    end = os.fstat(descriptor).st_size
    place = end
    while place > 0:
        start = max(0, place - 65536)
        newline = os.pread(descriptor, place - start, start).rfind(b"\n")
        if newline >= 0:
            place = start + newline + 1
            break
        place = start
    if place != end:
        os.ftruncate(descriptor, place)
        os.fsync(descriptor)


def _key_of(line: bytes, where: str) -> SampleKey:
    try:
        row = json.loads(line)
        key = SampleKey(row["problem_id"], row["strategy"], row["sample_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where}: not a response that this command wrote ({error})") from error
    if not isinstance(key.sample, int):
        raise InputError(f"{where}: sample_id {key.sample!r} is not a number as this command writes it")
    return key
