"""The file that sampled responses are appended to: what is in it is whole, on disk, and there once.

A run of days is killed by a full queue or a power cut. So a line is written with one call, synced before it
counts, and a torn last line is cut off on the next start. A manifest beside the file says what the lines
were sampled with; a resume with other settings would mix two experiments in one file and is refused. Without a line
there is nothing to mix: a run that wrote none leaves no file, and a manifest alone binds nobody.

Grading may take longer than sampling, and a run may be killed between the two. So a response is written at once
to a second file, of those that wait for their grade, and its line in the first file is written when it has one.
When nothing waits the second file is emptied; what a killed run left in it is not sampled again but graded.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.display import counted
from diversity_judge.errors import InputError
from generation.json_lines import Lines, has_lines, open_appending, open_locked, whole_lines, write_whole_text

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


def waiting_path(path: Path) -> Path:
    """Where the responses of a file are that wait for their grade."""
    return path.with_suffix(".ungraded.jsonl")


def finished_samples(path: Path) -> frozenset[SampleKey]:
    """The samples whose lines are whole, graded or waiting for it. A torn last line is passed over.

    Raises:
        InputError: a line before the last is not a response of this command, or one occurs twice.
    """
    waiting = whole_lines(waiting_path(path))
    return _unique_keys(whole_lines(path)) | frozenset(_key_of(row, where) for where, row in waiting)


def waiting_note(path: Path) -> list[str]:
    """A sentence for the user where responses wait for their grade; empty where none does."""
    if not has_waiting(path):
        return []
    done = _unique_keys(whole_lines(path))
    n_waiting = sum(_key_of(row, where) not in done for where, row in whole_lines(waiting_path(path)))
    if not n_waiting:
        return []
    wait = counted(n_waiting, "response waits for its grade", "responses wait for their grade")
    return [f"{wait} in {waiting_path(path)}: the same generation.sample adds them"]


def has_waiting(path: Path) -> bool:
    """Whether responses of a file may wait for their grade."""
    place = waiting_path(path)
    return place.exists() and place.stat().st_size > 0


class ResponseFile:
    """A responses file open for appending, locked against a second run.

    Attributes:
        finished: The samples that were on disk when it was opened.
        left: Lines that an earlier run sampled and did not grade.
    """

    def __init__(self, graded: Lines, waiting: Lines) -> None:
        self._graded = graded
        self._waiting = waiting
        self._lock = threading.Lock()
        done = _unique_keys(whole_lines(graded.path))
        self.left = [row for where, row in whole_lines(waiting.path) if _key_of(row, where) not in done]
        self._n_waiting = len(self.left)
        self.finished = done | _unique_keys(whole_lines(waiting.path))

    def keep(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write responses that are to be graded, and sync them; not yet to the file that others read.

        Raises:
            RunError: the disk refuses; then none of them is written.
        """
        with self._lock:
            self._waiting.append(rows)
            self._n_waiting += len(rows)

    def settle(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write responses that were kept (or left) and are graded now.

        Raises:
            RunError: the disk refuses. They go on waiting.
        """
        with self._lock:
            self._graded.append(rows)
            self._n_waiting -= len(rows)
            if self._n_waiting == 0:
                self._waiting.clear()

    def close(self) -> None:
        """Take the second file away where nothing waits in it."""
        with self._lock:
            if self._n_waiting == 0:
                self._waiting.path.unlink(missing_ok=True)


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
    descriptor = open_locked(path)
    waiting = None
    try:
        earlier = check_resume(path, manifest)
        waiting = open_appending(waiting_path(path))
        file = ResponseFile(Lines(path, descriptor), Lines(waiting_path(path), waiting))
        try:
            content = manifest.merged_with(earlier or {})
            content["runs"].append(dict(run))
            write_whole_text(manifest_path(path), json.dumps(content, ensure_ascii=False, indent=1) + "\n")
            yield file
        finally:
            file.close()
    finally:
        if waiting is not None:
            os.close(waiting)
        if made_here and os.fstat(descriptor).st_size == 0 and not has_waiting(path):
            path.unlink(missing_ok=True)
            manifest_path(path).unlink(missing_ok=True)
        os.close(descriptor)


def check_resume(path: Path, manifest: Manifest) -> dict[str, Any] | None:
    """Whether a run may append to a file; the earlier manifest, if there is one.

    Raises:
        InputError: it may not; the message names what differs.
    """
    earlier = read_manifest(path)
    if earlier is None:
        found = [file for file in (path, waiting_path(path)) if file.exists() and file.stat().st_size]
        if found:
            raise InputError(
                f"{found[0]} exists, but without {manifest_path(path).name} beside it: this command did not "
                "write it; choose another --out"
            )
        return None
    if not has_lines(path) and not has_lines(waiting_path(path)):
        return None
    difference = manifest.conflict(earlier)
    if difference is not None:
        raise InputError(f"{path} cannot be resumed: {difference}; use the former value or another --out")
    return earlier


def _unique_keys(lines: Iterable[tuple[str, dict[str, Any]]]) -> frozenset[SampleKey]:
    found: set[SampleKey] = set()
    for where, row in lines:
        key = _key_of(row, where)
        if key in found:
            raise InputError(f"{where}: {key} is in the file twice; take one of the lines out")
        found.add(key)
    return frozenset(found)


def _key_of(row: Mapping[str, Any], where: str) -> SampleKey:
    try:
        key = SampleKey(row["problem_id"], row["strategy"], row["sample_id"])
        hash(key)
    except (KeyError, TypeError) as error:
        raise InputError(f"{where}: not a response that this command wrote ({error})") from error
    if not isinstance(key.sample, int):
        raise InputError(f"{where}: sample_id {key.sample!r} is not a number as this command writes it")
    return key
