"""A folder of results that is computed in parts: what is finished survives a kill and is not computed again.

A part is some responses, always the same ones; it is a file under `parts/` once it is whole. When all are there they
are joined to `tokens.parquet`, and the folder `parts/` goes. `run.json` says with what instrument: results of two
cannot be mixed, so a run with another one is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError, RunError
from diversity_judge.files import read_json, remove_leftovers, write_json, write_whole
from diversity_judge.runs.layout import FINISHED, STATE, UNFINISHED
from generation.routing_study.joining import chosen_logprobs, joined, schema, table_of
from generation.routing_study.trajectories import Trajectory

RUN, TOKENS, PARTS = "run.json", "tokens.parquet", "parts"
TOKENS_A_PART = 2000
"""About; a part is whole responses. On a slow machine some minutes at most are lost by a kill."""


class PartFolder:
    """The folder of one run, held against a second one."""

    def __init__(self, folder: Path, instrument: Mapping[str, Any]) -> None:
        self._folder, self._instrument = folder, dict(instrument)

    @property
    def tokens(self) -> Path:
        """Where the joined rows are."""
        return self._folder / TOKENS

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Lock the folder and check what an earlier run left there.

        Raises:
            InputError: it was computed with another instrument; the message names what differs.
            RunError: another run is writing to it.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder, os.O_RDONLY)
        except OSError as error:
            raise InputError(f"{self._folder}: cannot be written to: {error}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError(f"{self._folder}: another run is writing to it") from error
            self._check()
            yield
        finally:
            os.close(descriptor)

    def finished(self) -> bool:
        """Whether all is there."""
        record = self._record()
        return record is not None and record.get(STATE) == FINISHED and self.tokens.exists()

    def begin(self, about: Mapping[str, Any]) -> None:
        """Say what is being computed."""
        self._write(UNFINISHED, about)

    def missing(self, parts: Sequence[Sequence[Trajectory]]) -> list[int]:
        """Numbers of the parts that are not on disk."""
        for number in range(len(parts)):
            remove_leftovers(self._part(number))
        return [number for number in range(len(parts)) if not self._part(number).exists()]

    def keep(self, number: int, columns: Sequence[Mapping[str, Any]]) -> None:
        """Put a part on disk, whole.

        Raises:
            RunError: the disk refuses.
        """
        self._put(self._part(number), [table_of(columns)])

    def join(self, n_parts: int, about: Mapping[str, Any]) -> None:
        """Make one table of all parts, and say that the run is finished."""
        paths = [self._part(number) for number in range(n_parts)]
        self._put(self.tokens, joined(paths, chosen_logprobs(paths)))
        self._write(FINISHED, about)
        shutil.rmtree(self._folder / PARTS, ignore_errors=True)

    def _check(self) -> None:
        record = self._record()
        if record is None:
            if self.tokens.exists():
                raise InputError(f"{self.tokens} exists without {RUN} beside it; name another folder with --out")
            return
        before = record.get("instrument")
        if not isinstance(before, dict):
            raise InputError(f"{self._folder / RUN} is not of this command; name another folder with --out")
        for name in dict.fromkeys([*before, *self._instrument]):
            was, now = before.get(name), self._instrument.get(name)
            if was != now:
                raise InputError(
                    f"{self._folder} holds another analysis: {name} was {was!r} and is now {now!r}; use the former "
                    "value or name another folder with --out"
                )

    def _record(self) -> dict[str, Any] | None:
        path = self._folder / RUN
        try:
            record = read_json(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read: {error}") from error
        if not isinstance(record, dict):
            raise InputError(f"{path} is not of this command; name another folder with --out")
        return record

    def _write(self, state: str, about: Mapping[str, Any]) -> None:
        try:
            write_json(self._folder / RUN, {STATE: state, "instrument": self._instrument, **about})
        except OSError as error:
            raise RunError(f"{self._folder / RUN}: cannot write it: {error}") from error

    def _part(self, number: int) -> Path:
        return self._folder / PARTS / f"{number:05}.parquet"

    def _put(self, path: Path, tables: Iterable[Any]) -> None:
        import pyarrow.parquet as pq

        def write(temporary: Path) -> None:
            with pq.ParquetWriter(temporary, schema(), compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table)

        try:
            write_whole(path, write)
        except OSError as error:
            raise RunError(f"{path}: cannot write it: {error}; the same command continues from here") from error


def parts_of(items: Sequence[Trajectory]) -> list[list[Trajectory]]:
    """Responses in parts of about `TOKENS_A_PART` tokens, in their order."""
    parts: list[list[Trajectory]] = []
    room = 0
    for item in items:
        if room <= 0:
            parts.append([])
            room = TOKENS_A_PART
        parts[-1].append(item)
        room -= item.n_tokens
    return parts
