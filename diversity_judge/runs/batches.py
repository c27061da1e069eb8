"""What of a run is on its way as a batch: the files that were exported, and what has become of each.

    RUN/batch/batch.json          this record
    RUN/batch/requests-001.jsonl  calls, in the format that providers and vLLM share
    RUN/batch/results-001.jsonl   what a provider gave back (`fetch`)

The record is written before and after each step that a host is told of, so that a kill between two of them costs
nothing twice.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from diversity_judge.display import counted
from diversity_judge.errors import InputError, RunError
from diversity_judge.files import write_json
from diversity_judge.runs.layout import LEDGER, entry, entry_or_none, read_manifest
from diversity_judge.runs.ledger_place import ENTRY, place_record, recorded_place

FOLDER = "batch"
RECORD = "batch.json"


class Stage(str, Enum):
    """How far a file of calls has come."""

    EXPORTED = "exported"
    UPLOADED = "uploaded"
    """The host has the file; whether it has been asked to work on it is not certain after a kill."""
    SUBMITTED = "submitted"
    DONE = "done"
    """Its results were put into the ledger."""
    CANCELLED = "cancelled"


ON_THEIR_WAY = (Stage.UPLOADED, Stage.SUBMITTED)
"""Stages in which a host may be working, and be paid."""


@dataclass(frozen=True)
class BatchFile:
    """One file of calls.

    Attributes:
        name: Beside the record.
        n_requests: Lines.
        stage: How far it has come.
        input_file_id: At the host.
        batch_id: At the host.
        said: The host's own word for how it stands.
        cost_usd: Likely, at the price of a batch; None where no prices are known.
    """

    name: str
    n_requests: int
    stage: Stage = Stage.EXPORTED
    input_file_id: str | None = None
    batch_id: str | None = None
    said: str | None = None
    cost_usd: float | None = None


@dataclass(frozen=True)
class BatchRecord:
    """What was exported for a run, and for whom.

    Attributes:
        judge: Who is asked: see `BatchJudge` in `batching`; JSON by nature, so a mapping.
        ledger: Where results go, seen from where the command runs.
        files: In the order of their numbers.
    """

    judge: Mapping[str, Any]
    ledger: Path
    files: tuple[BatchFile, ...] = ()

    def with_file(self, changed: BatchFile) -> BatchRecord:
        """With one file as it is now."""
        return replace(self, files=tuple(changed if file.name == changed.name else file for file in self.files))

    @property
    def next_number(self) -> int:
        """Of the next file."""
        return 1 + max((int(file.name.split("-")[1].split(".")[0]) for file in self.files), default=0)


def batch_folder(run: Path) -> Path:
    """Where the files of a run's batches are."""
    return run / FOLDER


def read_record(run: Path) -> BatchRecord | None:
    """What was exported for a run; None where nothing was.

    Raises:
        InputError: the record cannot be read.
    """
    folder = batch_folder(run)
    record = read_manifest(folder, RECORD)
    if record is None:
        return None
    path = folder / RECORD
    try:
        files = tuple(
            BatchFile(**{**file, "stage": Stage(file["stage"])}) for file in entry(record, path, "files", list)
        )
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path}: 'files' cannot be read ({error}): export again into this folder") from None
    entry(record, path, ENTRY, str)
    ledger = recorded_place(run, record, path) or run / LEDGER
    return BatchRecord(entry_or_none(record, path, "judge", dict) or {}, ledger, files)


def write_record(run: Path, record: BatchRecord) -> None:
    """Keep the record, whole.

    Raises:
        RunError: the disk does not take it.
    """
    value = {
        "judge": dict(record.judge),
        **place_record(record.ledger, run),
        "files": [{**asdict(file), "stage": file.stage.value} for file in record.files],
    }
    path = batch_folder(run) / RECORD
    try:
        write_json(path, value)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot write it: {error}") from error


def keys_of(path: Path) -> list[str]:
    """The judgments' keys of a file of calls.

    Raises:
        InputError: it cannot be read, or a line is no call.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return [_key_of(line, f"{path}:{number}") for number, line in enumerate(file, 1)]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read it: {error}") from error


def _key_of(line: str, where: str) -> str:
    try:
        return str(json.loads(line)["custom_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where}: is no call of a batch ({error}); export again") from None


def keys_on_their_way(run: Path) -> frozenset[str]:
    """Keys of the calls that a host may be working on: whoever buys them too pays twice.

    Raises:
        InputError: the record or a file cannot be read.
    """
    record = read_record(run)
    if record is None:
        return frozenset()
    folder = batch_folder(run)
    files = (folder / file.name for file in record.files if file.stage in ON_THEIR_WAY)
    return frozenset(key for path in files for key in keys_of(path))


def refuse_what_is_on_its_way(run: Path, keys: Iterable[str]) -> None:
    """Refuse to buy what a submitted batch of this run folder will bring.

    Args:
        run: The folder.
        keys: Of the calls that are about to be bought.

    Raises:
        InputError: there is such a batch; nothing was sent.
    """
    sent = keys_on_their_way(run)
    n = sum(key in sent for key in keys) if sent else 0
    if n:
        where = shlex.quote(str(run))
        raise InputError(
            f"{counted(n, 'call')} of this run are on their way as a batch, and would be paid twice: first get them "
            f"(python -m diversity_judge.batch fetch {where}) or end them (python -m diversity_judge.batch cancel "
            f"{where})"
        )
