"""Where the parts of a run folder lie, as the contract names them, and how its manifest is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError

MANIFEST = "run.json"
SCORES = "scores.csv"
STRATEGIES = "strategies.csv"
PAIRS = "pairs.csv"
MATRICES = "matrices.npz"
HEATMAPS = "heatmaps"
LEDGER = "ledger.sqlite"
RESPONSES = "responses.jsonl.gz"
"""What was judged, as it was read: the folder can be understood without the input files."""


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, None when there is none.

    Raises:
        InputError: it is there and cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read the manifest: {error}") from error
    return manifest
