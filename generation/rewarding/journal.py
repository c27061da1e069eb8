"""Scores on disk as they come, beside the file that is written at the end: a killed run scores nothing twice."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from generation.json_lines import Lines, open_locked, whole_lines
from generation.response_rows import read_rows
from generation.rewarding.plan import Scored, is_rewarded, scored_in, scored_of


def journal_path(out: Path) -> Path:
    """Where the scores of a run are until its file is written."""
    return out.with_suffix(".scores.jsonl")


def known_scores(out: Path, source: Path, rows: Iterable[Mapping[str, Any]]) -> dict[str, Scored]:
    """The scores that earlier runs left, by key: in the responses themselves, in the file and in the journal.

    Raises:
        InputError: a file holds what no run wrote, so that it would be lost.
    """
    found = scored_in(rows)
    if out.exists() and out.stat().st_size and not out.samefile(source):
        earlier = [row for _, row in read_rows(out)]
        if not any(is_rewarded(row) for row in earlier):
            raise InputError(f"{out} exists, and this command did not write it; choose another --out")
        found |= scored_in(earlier)
    for _, line in whole_lines(journal_path(out)):
        scored = scored_of(line)
        if scored is not None:
            found[scored.key] = scored
    return found


class Journal:
    """The journal of a run, open and locked against a second one."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def keep(self, scores: Sequence[Scored]) -> None:
        """Write scores, and sync them.

        Raises:
            RunError: the disk refuses; then none of them is written.
        """
        self._lines.append([_line(scored) for scored in scores])

    def remove(self) -> None:
        """Take it away: what is in it stands in the file now."""
        self._lines.path.unlink(missing_ok=True)


@contextmanager
def open_journal(out: Path) -> Iterator[Journal]:
    """Open the journal of a file.

    Raises:
        InputError: it cannot be opened.
        RunError: another run writes to it.
    """
    path = journal_path(out)
    descriptor = open_locked(path)
    try:
        yield Journal(Lines(path, descriptor))
    finally:
        if os.fstat(descriptor).st_size == 0:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _line(scored: Scored) -> Mapping[str, object]:
    return asdict(scored) | {"step_rewards": list(scored.step_rewards)}
