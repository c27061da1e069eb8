"""The lines of a responses file as they are, for commands that change a field of each and leave the rest alone.

The file is replaced in one step, so that a reader sees the old lines or the new ones.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError, RunError
from diversity_judge.files import read_bounded
from generation.json_lines import write_whole_text


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """A block in which nothing is sampled into a file.

    Raises:
        InputError: it cannot be opened.
        RunError: a run is writing to it.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f"{path}: a run is writing to it; wait for its end") from error
        yield


def read_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Where each response of a file stands and what its line says, in order.

    Raises:
        InputError: the file cannot be read, a line is not a response, or there is none.
    """
    try:
        content = read_bounded(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    result = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not valid JSON: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get("response"), str) or "problem_id" not in row:
            raise InputError(f"{where}: not a response: problem_id and response are required")
        result.append((where, row))
    if not result:
        raise InputError(f"{path}: there are no responses in it")
    return result


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a file's lines, all at once.

    Raises:
        RunError: the disk refuses; what stood there before still does.
    """
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    write_whole_text(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))
