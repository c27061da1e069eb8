"""Running `reliability` as score_runs runs `score`."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd

from diversity_judge.engine.options import EngineOptions
from diversity_judge.probing import options
from diversity_judge.reliability import main
from tests.diversity_judge.score_runs import KEY, KEY_VARIABLE, run
from tests.planted_judge import PlantedJudge

QUICK = ("--retry-wait", "0.001", "--no-figures", "--no-report")


@dataclass(frozen=True)
class Probed:
    """One run of the command that has ended."""

    code: int
    output: str
    folder: Path

    @property
    def findings(self) -> pd.DataFrame:
        """`reliability.csv`."""
        return pd.read_csv(self.folder / "reliability.csv")

    def of(self, probe: str, metric: str, strategy: str | None = None) -> pd.Series:
        """One row of it."""
        rows = self.findings
        is_strategy = rows["strategy"].isna() if strategy is None else rows["strategy"] == strategy
        found = rows[(rows["probe"] == probe) & (rows["metric"] == metric) & is_strategy]
        assert len(found) == 1, f"{len(found)} rows of {probe} {metric}"
        return found.iloc[0]

    @property
    def manifest(self) -> dict[str, Any]:
        """`reliability.json`."""
        manifest: dict[str, Any] = json.loads((self.folder / "reliability.json").read_text(encoding="utf-8"))
        return manifest


def probe(folder: Path, *arguments: str, quick: tuple[str, ...] = QUICK) -> Probed:
    """Run the command in this process, without the lead of a prefix cache's first call."""
    output = io.StringIO()
    with (
        mock.patch.object(options, "_ENGINE", EngineOptions(prefix_lead_s=0.0)),
        mock.patch.dict(os.environ, {KEY_VARIABLE: KEY}),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        try:
            code = main([str(folder), *quick, *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Probed(code, output.getvalue(), folder / "reliability")


def scored(responses: Path, server: PlantedJudge, folder: Path, *options: str) -> Path:
    """Score responses by a judge whose faults are known; returns the run folder."""
    finished = run(responses, server, folder, *options)
    assert finished.code == 0, finished.output
    return folder
