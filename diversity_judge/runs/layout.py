"""Where the parts of a run folder lie, as the contract names them, and how its manifest is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from diversity_judge.errors import InputError
from diversity_judge.files import read_json

MANIFEST = "run.json"
SCORES = "scores.csv"
STRATEGIES = "strategies.csv"
PAIRS = "pairs.csv"
APPROACHES = "approaches.csv"
SUMMARIES = "summaries.csv"
MATRICES = "matrices.npz"
SURROGATE = "surrogate.npz"
HEATMAPS = "heatmaps"
LEDGER = "ledger.sqlite"
TWO_STAGE = "two_stage.json"
"""How many pairs a pilot said are needed, written before they are bought."""
RESPONSES = "responses.jsonl.gz"
"""What was judged, as it was read: the folder can be understood without the input files."""


PANEL = "panel"
"""Kind of a judge that is several: its scores are means, and no reply stands behind them."""

STATE, UNFINISHED, FINISHED = "state", "unfinished", "finished"
"""Of a folder, in its manifest: a run that was killed while it wrote its outputs leaves it unfinished."""

_T = TypeVar("_T")
_WHAT_TO_DO = "score the responses again into this folder with --overwrite, or name another one"
_KINDS: dict[type, str] = {dict: "object", str: "text", int: "whole number", bool: "truth value"}


def read_manifest(folder: Path, name: str = MANIFEST) -> dict[str, Any] | None:
    """The manifest of a folder, None when there is none.

    Args:
        folder: Of a run, a comparison or an agreement.
        name: Of the manifest.

    Raises:
        InputError: it is there and cannot be read, or is no JSON object.
    """
    path = folder / name
    if not path.is_file():
        return None
    try:
        manifest = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read the manifest: {error}; {_WHAT_TO_DO}") from error
    if not isinstance(manifest, dict):
        raise InputError(f"{path}: is no manifest: it holds no JSON object; {_WHAT_TO_DO}")
    return manifest


def entry(mapping: Mapping[str, Any], path: Path, name: str, kind: type[_T]) -> _T:
    """An entry of a manifest, of the kind that is expected.

    Args:
        mapping: The manifest, or a part of it.
        path: Of the manifest, for the message.
        name: Of the entry.
        kind: What it must be.

    Raises:
        InputError: it is not there, or of another kind.
    """
    value = entry_or_none(mapping, path, name, kind)
    if value is None:
        raise InputError(f"{path}: has no {name!r}; {_WHAT_TO_DO}")
    return value


def entry_or_none(mapping: Mapping[str, Any], path: Path, name: str, kind: type[_T]) -> _T | None:
    """An entry of a manifest that may be absent or null.

    Raises:
        InputError: it is of another kind.
    """
    value = mapping.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise InputError(f"{path}: {name!r} is no {_KINDS[kind]}; {_WHAT_TO_DO}")
    return value
