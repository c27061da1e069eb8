"""What a comparison leaves in its folder besides pictures and the report: tables, what a paper needs, a manifest."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.comparing.paper import latex, markdown, methods, paper_tables
from diversity_judge.comparing.result import Comparison
from diversity_judge.errors import RunError
from diversity_judge.files import write_frame, write_text
from diversity_judge.runs.replacing import replacing

PROCESS = "process.csv"
DIFFERENCES = "differences.csv"
OUTCOMES = "outcomes.csv"
PROBLEMS = "problems.csv"
PAIRS = "pairs_of_strategies.csv"
TRENDS = "trends.csv"
PAYOFF = "payoff.csv"
COUNTS = "counts.csv"
CUT = "cut_responses.csv"
CORRECTED = "corrected.csv"
VERIFICATION = "verification.csv"
LATEX = "tables.tex"
MARKDOWN = "tables.md"
METHODS = "methods.md"
TABLES = (
    PROCESS,
    DIFFERENCES,
    OUTCOMES,
    PROBLEMS,
    PAIRS,
    TRENDS,
    PAYOFF,
    COUNTS,
    CUT,
    VERIFICATION,
    LATEX,
    MARKDOWN,
    METHODS,
)
MANIFEST = "compare.json"
REPORT = "report.html"
FIGURES = "figures"
HEATMAPS = "heatmaps"


def write_tables(folder: Path, comparison: Comparison) -> None:
    """Write the tables, tables.tex, tables.md, methods.md and compare.json, and nothing else.

    Raises:
        RunError: the disk does not take them.
    """
    with writing(folder, comparison):
        pass


@contextlib.contextmanager
def writing(
    folder: Path, comparison: Comparison, *, pictures: Collection[str] = (), report: bool = False
) -> Iterator[None]:
    """Write the tables, and inside this what else there is, in the place of an earlier comparison.

    Args:
        folder: Of the comparison; made if it is not there.
        comparison: What was found.
        pictures: Files that may be drawn, by path below the folder.
        report: Whether there will be a report.

    Raises:
        RunError: the disk does not take them.
    """
    sure = (*TABLES, *([CORRECTED] if comparison.correction else []), *([REPORT] if report else []))
    with replacing(folder, manifest(comparison), sure=sure, possible=(CORRECTED, REPORT, *pictures), manifest=MANIFEST):
        _write_tables(folder, comparison)
        yield


def _write_tables(folder: Path, comparison: Comparison) -> None:
    tables = {
        PROCESS: comparison.process.to_frame(),
        DIFFERENCES: comparison.differences.to_frame(),
        OUTCOMES: comparison.outcomes.to_frame(),
        PROBLEMS: comparison.problem_table.to_frame(),
        PAIRS: comparison.pairs_of_strategies.to_frame(),
        TRENDS: comparison.trend_table.to_frame(),
        PAYOFF: comparison.payoff.to_frame(),
        COUNTS: comparison.counts.to_frame(),
        CUT: comparison.cut_responses.to_frame(),
        VERIFICATION: comparison.verification.to_frame(),
    }
    if comparison.correction:
        tables[CORRECTED] = comparison.corrected.to_frame()
    try:
        for name, table in tables.items():
            write_frame(folder / name, table)
        printed = paper_tables(comparison)
        write_text(folder / LATEX, latex(printed))
        write_text(folder / MARKDOWN, markdown(printed))
        write_text(folder / METHODS, methods(comparison))
    except OSError as error:
        raise RunError(f"{folder}: cannot write the tables: {error}") from error


def manifest(comparison: Comparison) -> dict[str, Any]:
    """What compare.json holds: JSON by nature, so a mapping."""
    return {
        "tool": {"diversity_judge": __version__, "python": platform.python_version()},
        "runs": [
            {
                "path": str(run.path),
                "judge": run.judge or None,
                "prompt": run.prompt or None,
                "instrument": asdict(run.instrument) if run.is_judged else None,
                "estimator": run.manifest.get("estimator"),
                "groups": len(run.groups),
            }
            for run in comparison.runs
        ],
        "options": asdict(comparison.options),
        "strategies": list(comparison.strategies),
        "intervals": "95 %, over problems",
        "test": "the larger p of Student's t and of sign flips over problems; Holm within each metric",
        "sentences": list(comparison.sentences),
        "notes": list(comparison.notes),
    }
