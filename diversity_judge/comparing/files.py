"""What a comparison leaves in its folder besides pictures and the report: four tables and a manifest."""

from __future__ import annotations

import platform
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.comparing.result import Comparison
from diversity_judge.errors import RunError
from diversity_judge.files import write_json, write_whole

PROCESS = "process.csv"
DIFFERENCES = "differences.csv"
OUTCOMES = "outcomes.csv"
PROBLEMS = "problems.csv"
MANIFEST = "compare.json"
REPORT = "report.html"
FIGURES = "figures"
HEATMAPS = "heatmaps"


def write_tables(folder: Path, comparison: Comparison) -> None:
    """Write process.csv, differences.csv, outcomes.csv, problems.csv and compare.json; the folder is made.

    Raises:
        RunError: the disk does not take them.
    """
    tables = {
        PROCESS: comparison.process.to_frame(),
        DIFFERENCES: comparison.differences.to_frame(),
        OUTCOMES: comparison.outcomes.to_frame(),
        PROBLEMS: comparison.problem_table.to_frame(),
    }
    try:
        for name, table in tables.items():
            write_whole(folder / name, partial(table.to_csv, index=False))
        write_json(folder / MANIFEST, manifest(comparison))
    except OSError as error:
        raise RunError(f"{folder}: cannot write the tables: {error}") from error


def manifest(comparison: Comparison) -> dict[str, Any]:
    """What compare.json holds: JSON by nature, so a mapping."""
    return {
        "tool": {"diversity_judge": __version__, "python": platform.python_version()},
        "runs": [
            {"path": str(run.path), "judge": run.judge or None, "prompt": run.prompt or None, "groups": len(run.groups)}
            for run in comparison.runs
        ],
        "options": asdict(comparison.options),
        "strategies": list(comparison.strategies),
        "intervals": "95 %, over problems",
        "test": "sign-flip permutation of paired differences; Holm within each metric",
        "sentences": list(comparison.sentences),
        "notes": list(comparison.notes),
    }
