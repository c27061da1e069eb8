"""Rows of the logs of inspect_ai, as `.eval` (an archive of JSON files) or as `.json`; inspect_ai is not needed.

A row is one sample, an epoch of one problem, beside what the log's head says of all of them:
`{"sample": ..., "eval": ...}`. Format: `EvalLog`, `EvalSample` and `ModelOutput` of inspect_ai 0.3.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.inputs.jsonl import Line
from diversity_judge.inputs.opening import InputFile
from diversity_judge.text_safety import printable

_HEADS = ("header.json", "_journal/start.json", "start.json")
"""Where an archive says how the samples were made: of a finished log, of one still being written, of an older one."""
_SAMPLE = re.compile(r"samples/.+\.json")
_HOW = "write it as JSON with: inspect log convert --to json --output-dir DIR FILE"


def is_inspect_log(document: object) -> bool:
    """Whether a JSON document is a log of inspect_ai."""
    return isinstance(document, Mapping) and isinstance(document.get("eval"), Mapping) and "status" in document


def eval_log_lines(file: InputFile) -> Iterator[tuple[str, Line]]:
    """The samples of a `.eval` archive, in the order of problems and epochs, and where each stands.

    Raises:
        InputError: it is no such archive, or a part of it cannot be read.
    """
    try:
        with zipfile.ZipFile(file.seekable()) as archive:
            names = set(archive.namelist())
            head = next((name for name in _HEADS if name in names), None)
            if head is None:
                raise InputError(f"{file.shown}: is a ZIP archive without a log of inspect_ai; unpack it first")
            header = _json(archive, head, file)
            samples = [name for name in archive.namelist() if _SAMPLE.fullmatch(name)]
            if not samples and any(name.startswith("samples/") for name in names):
                raise InputError(f"{file.shown}: holds its samples in a form that is not known here; {_HOW}")
            for number, name in enumerate(sorted(samples, key=_natural), start=1):
                place = f"{file.shown}:{printable(name)}"
                yield place, _line(number, _json(archive, name, file), header)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError(f"{file.shown}: not a readable archive: {error}; copy or write the file again") from error
    except NotImplementedError as error:  # A compression that this Python does not know, such as Zstandard.
        raise InputError(f"{file.shown}: {error}; {_HOW}") from error


def json_log_lines(document: Mapping[str, Any], file: InputFile) -> Iterator[tuple[str, Line]]:
    """The samples of a log that is one JSON document, and where each stands."""
    for number, sample in enumerate(document.get("samples") or (), start=1):
        yield f"{file.shown}:samples[{number - 1}]", _line(number, sample, document)


def _line(number: int, sample: Any, log: Any) -> Line:
    head = log.get("eval") if isinstance(log, Mapping) else None
    if not isinstance(sample, Mapping) or not isinstance(head, Mapping):
        return Line(number, error="is no sample of a log of inspect_ai")
    return Line(number, {"sample": sample, "eval": head})


def _json(archive: zipfile.ZipFile, name: str, file: InputFile) -> Any:
    try:
        return json.loads(archive.read(name))
    except (ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise InputError(f"{file.shown}:{printable(name)}: not readable: {printable(str(error), 200)}") from error


def _natural(name: str) -> list[tuple[int, str]]:
    """Numbers in a name by their value: the tenth epoch comes after the second."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"([0-9]+)", name)]
