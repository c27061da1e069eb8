"""Writing a file of rows, and saying what was read of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diversity_judge.errors import InputError
from diversity_judge.inputs.reading import ReadResult, read_responses
from diversity_judge.inputs.responses import Response


def written(path: Path, *rows: Any) -> Path:
    """A JSON lines file of these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def fault(path: Path, **options: Any) -> str:
    """The message with which a file is refused."""
    with pytest.raises(InputError) as caught:
        read_responses(path, **options)
    return str(caught.value).replace(str(path), "FILE")


def shape(result: ReadResult) -> list[tuple[str, str, int]]:
    """Problem, strategy and number of responses of each group."""
    return [(group.problem_id, group.strategy, group.n_responses) for group in result.groups]


def only(result: ReadResult) -> Response:
    """The one response."""
    ((response,),) = [group.responses for group in result.groups]
    return response
