"""Responses and the groups that they form, and how they are written."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from diversity_judge.display import counted, short
from diversity_judge.files import write_whole
from diversity_judge.inputs.fields import FIELDS
from diversity_judge.text_safety import well_formed

DEFAULT_STRATEGY = "default"

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, repr=False)
class Response:
    """One sampled response to a problem."""

    problem_id: str
    text: str
    strategy: str = DEFAULT_STRATEGY
    sample_id: int | str = 0
    problem: str | None = None
    answer: str | None = None
    correct: bool | None = None
    reward: float | None = None
    model: str | None = None
    seed: int | None = None
    finish_reason: str | None = None
    n_tokens: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        name = f"{short(self.problem_id)} / {short(self.strategy)} / sample {short(self.sample_id)}"
        return f"Response({name}: {short(self.text)!r}, {counted(len(self.text), 'character')})"


@dataclass(frozen=True, repr=False)
class Group:
    """All responses of one problem under one strategy, in order of appearance."""

    problem_id: str
    strategy: str
    responses: tuple[Response, ...]
    problem: str | None = None

    @property
    def n_responses(self) -> int:
        """Number of responses."""
        return len(self.responses)

    def __repr__(self) -> str:
        name = f"{short(self.problem_id)} / {short(self.strategy)}"
        return f"Group({name}: {counted(self.n_responses, 'response')})"


PathLike = str | os.PathLike[str]


def write_responses(path: PathLike, responses: Iterable[Response]) -> None:
    """Writes a `responses.jsonl` (gzip where the name ends in `.gz`); an existing file is replaced whole or not at all.

    Raises:
        OSError: The file can't be written.
        ValueError: A response holds a number that JSON has no name for.
    """
    write_whole(Path(path), partial(_write_lines, responses))


def response_line(response: Response) -> str:
    """One line of `responses.jsonl`, without its line break; fields that are not known are left out.

    Raises:
        ValueError: The response holds NaN or an infinity.
    """
    known = {name: getattr(response, name) for name in FIELDS if name not in ("response", "meta")}
    record = {name: value for name, value in known.items() if value is not None}
    if response.meta:
        record["meta"] = dict(response.meta)
    return well_formed(_JSON.encode(record | {"response": response.text}))[0]


def _write_lines(responses: Iterable[Response], path: Path) -> None:
    lines = ((response_line(response) + "\n").encode() for response in responses)
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            # No name and no time stamp: the same responses give the same bytes.
            with gzip.GzipFile("", fileobj=raw, mode="wb", mtime=0) as file:
                file.writelines(lines)
        else:
            raw.writelines(lines)
