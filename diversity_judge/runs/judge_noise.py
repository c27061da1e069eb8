"""What a folder of `reliability` says of a judge's noise, for tables that stand beside it.

The folder was made with one instrument, and its figures hold for runs of that instrument alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from diversity_judge.errors import InputError
from diversity_judge.measures.probes.findings import Verdict
from diversity_judge.runs import layout
from diversity_judge.runs.frames import read_frame
from diversity_judge.runs.instrument import Instrument, differences
from diversity_judge.text_safety import printable

FOLDER = "reliability"
"""Where the command puts it in a run folder."""
MANIFEST, FINDINGS, COMPONENTS = "reliability.json", "reliability.csv", "variance_components.csv"
_AGAIN = "run reliability again"
_STRATEGY = "strategy"


@dataclass(frozen=True)
class JudgeNoise:
    """The noise of one instrument.

    Attributes:
        path: The folder.
        draw: Variance of a draw, points squared; NaN where no pair was judged twice.
        order: Variance of what an order does; NaN where it was not probed.
        unequal: What it found to be different for different strategies, one sentence each.
    """

    path: Path
    draw: float
    order: float
    unequal: tuple[str, ...]

    @property
    def retest_sd(self) -> float:
        """Standard deviation of a draw, points."""
        return math.sqrt(self.draw)


def read_judge_noise(folder: Path, instrument: Instrument) -> JudgeNoise:
    """The noise that a folder of `reliability` found.

    Args:
        folder: Of `reliability`.
        instrument: Of the run whose figures it is to stand beside.

    Raises:
        InputError: it is no such folder, is unfinished or broken, or was made with another instrument.
    """
    manifest = layout.read_manifest(folder, MANIFEST)
    if manifest is None:
        raise InputError(f"{folder}: no {MANIFEST} in this folder, so it is no folder of reliability")
    path = folder / MANIFEST
    if layout.entry_or_none(manifest, path, layout.STATE, str) == layout.UNFINISHED:
        raise InputError(f"{folder}: reliability was stopped while it wrote this folder; {_AGAIN}")
    there = Instrument.from_manifest(layout.entry(manifest, path, "run", dict), path)
    if changed := differences(there, instrument):
        said = "; ".join(f"another {one.word}: {one.one} there, {one.other} in the run" for one in changed)
        raise InputError(f"{folder} is about another instrument, {said}; run reliability on this run")
    variances = _variances(folder / COMPONENTS)
    nan = math.nan
    return JudgeNoise(folder, variances.get("draw", nan), variances.get("order", nan), _unequal(folder / FINDINGS))


def _variances(path: Path) -> dict[str, float]:
    rows = _rows(path, "component", "variance")
    try:
        return {row["component"]: float(row["variance"]) for row in rows}
    except ValueError as error:
        raise InputError(f"{path}: {printable(str(error))}; {_AGAIN}") from error


def _unequal(path: Path) -> tuple[str, ...]:
    """The strategies whose error lies outside of the band."""
    return tuple(
        f"{row['strategy']}: {row['metric']} {float(row['value']):+.2f} [{float(row['ci_low']):+.2f}, "
        f"{float(row['ci_high']):+.2f}] points"
        for row in _rows(path, "probe", "metric", "strategy", "value", "ci_low", "ci_high", "verdict")
        if row["probe"] == _STRATEGY and row["metric"].startswith("error_") and row["verdict"] == Verdict.OUTSIDE.value
    )


def _rows(path: Path, *columns: str) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(f"{path}: is missing; {_AGAIN}")
    try:
        table = read_frame(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot read the table: {printable(str(error))}; {_AGAIN}") from error
    lacking = [column for column in columns if column not in table.columns]
    if lacking:
        raise InputError(f"{path}: has no column {', '.join(lacking)}; {_AGAIN}")
    return [
        {name: str(value) for name, value in zip(columns, row, strict=True)}
        for row in table[list(columns)].itertuples(index=False, name=None)
    ]
