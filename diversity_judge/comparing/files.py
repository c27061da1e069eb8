"""What a comparison leaves in its folder besides pictures and the report: four tables and a manifest."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.comparing.result import Comparison
from diversity_judge.errors import RunError
from diversity_judge.runs import layout as run_folder

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
    text = json.dumps(manifest(comparison), indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            run_folder.write_whole(folder / name, partial(table.to_csv, index=False))
        run_folder.write_whole(folder / MANIFEST, lambda path: path.write_text(text, encoding="utf-8"))
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
