"""The miniature's counterfactual routes: which responses are analysed, and what the report says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from diversity_judge.inputs.responses import Group, write_responses
from examples.miniature import responses
from generation.route_report.analysis import analyse
from generation.route_report.verdicts import Verdict

FOLDER = "routes"
STRATEGY = "token-normal"
"""Its tokens are drawn by the model's own routes."""
_RESPONSES = "responses.jsonl"


def write_source(folder: Path, sampled: Mapping[str, Sequence[Group]]) -> Path:
    """Write the responses that are analysed into the run's folder; returns their file."""
    path = folder / FOLDER / _RESPONSES
    if not path.exists():
        write_responses(path, responses.of(sampled, [STRATEGY]))
    return path


def said(folder: Path) -> tuple[Verdict, ...]:
    """On each claim of the paper about routes; empty where they were not analysed."""
    table = folder / FOLDER
    return analyse(table).verdicts if (table / "tokens.parquet").exists() else ()
