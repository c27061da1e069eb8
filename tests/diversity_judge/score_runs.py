"""Running the command against the loopback judge, and reading what it left behind.

The matrices that a run must end with come from `tests.judge_texts`, never from the code under test.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from diversity_judge.engine.options import EngineOptions
from diversity_judge.score import main
from diversity_judge.scoring import keywords
from tests.judge_process import REPOSITORY
from tests.judge_server import JudgeServer
from tests.judge_texts import Sample

KEY_VARIABLE = "LOOPBACK_JUDGE_KEY"
KEY = "sk-loopback-5b1f0c9a7e"

QUICK = ("--retry-wait", "0.001", "--no-heatmaps")
"""Waits of milliseconds where the command waits seconds for a real host."""


@dataclass(frozen=True)
class Finished:
    """One run of the command that has ended."""

    code: int
    output: str
    folder: Path

    @property
    def manifest(self) -> dict[str, Any]:
        """`run.json`."""
        manifest: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return manifest

    @property
    def pairs(self) -> pd.DataFrame:
        """`pairs.csv`."""
        return pd.read_csv(self.folder / "pairs.csv", dtype={"problem_id": str}, keep_default_na=True)


def arguments(
    responses: Path, base_url: str, folder: Path, *options: str, concurrency: int = 16, model: str = "loopback"
) -> list[str]:
    """The command's arguments for a run against an endpoint."""
    endpoint = ["--base-url", base_url, "--model", model, "--api-key-env", KEY_VARIABLE]
    return [
        str(responses),
        *endpoint,
        "--concurrency",
        str(concurrency),
        "--out",
        str(folder),
        *QUICK,
        *options,
    ]


def run(
    responses: Path,
    server: JudgeServer | str,
    folder: Path,
    *options: str,
    concurrency: int = 16,
    model: str = "loopback",
) -> Finished:
    """Run the command in this process, without the lead of a prefix cache's first call."""
    base_url = server if isinstance(server, str) else server.base_url
    argv = arguments(responses, base_url, folder, *options, concurrency=concurrency, model=model)
    output = io.StringIO()
    with (
        mock.patch.object(keywords, "EngineOptions", partial(EngineOptions, prefix_lead_s=0.0)),
        mock.patch.dict(os.environ, {KEY_VARIABLE: KEY}),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        try:
            code = main(argv)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Finished(code, output.getvalue(), folder)


@contextlib.contextmanager
def started(argv: list[str], *, environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own, which does not outlive the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "diversity_judge.score", *argv],
        cwd=REPOSITORY,
        env={**os.environ, KEY_VARIABLE: KEY, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def assert_exact(
    finished: Finished, sample: Sample, *, both_orders: bool = False, without: frozenset[tuple[str, str]] = frozenset()
) -> None:
    """Every wanted pair has its known score and stands in the tables; `without` names those that have none."""
    pairs = finished.pairs
    names = pd.read_csv(finished.folder / "scores.csv").set_index(["problem_id", "strategy"])["group"]
    with np.load(finished.folder / "matrices.npz") as matrices:
        assert set(matrices.files) == set(names)
        for problem, strategy in sample.groups:
            expected = sample.expected_scores(problem, strategy, both_orders=both_orders)
            for first, second in without:
                i, j = int(first.rpartition(".")[2]), int(second.rpartition(".")[2])
                if first.startswith(f"{problem}.{strategy}."):
                    expected[i, j] = np.nan
            rows = pairs[(pairs["problem_id"] == problem) & (pairs["strategy"] == strategy)]
            found = np.full_like(expected, np.nan)
            found[rows["first_position"], rows["second_position"]] = rows["score"].astype(float)
            np.testing.assert_array_equal(found, expected)
            stacked = np.stack([expected, expected.T])
            counted = np.maximum(np.isfinite(stacked).sum(axis=0), 1)
            symmetric = np.where(np.isfinite(stacked).any(axis=0), np.nansum(stacked, axis=0) / counted, np.nan)
            np.testing.assert_array_equal(_off_diagonal(matrices[names[problem, strategy]]), _off_diagonal(symmetric))


def assert_each_bought_once(server: JudgeServer, sample: Sample, *, both_orders: bool = False) -> None:
    """No wanted pair was left out, no other was asked, and none was paid for twice."""
    assert server.record.bought == dict.fromkeys(sample.pairs(both_orders=both_orders), 1)


def assert_key_is_nowhere(finished: Finished, *more: Path) -> None:
    """Neither the output nor any byte of any file holds the key."""
    assert KEY not in finished.output
    files = [path for folder in (finished.folder, *more) for path in folder.rglob("*") if path.is_file()]
    assert files, "no file was written: nothing was tested"
    for path in files:
        assert KEY.encode() not in path.read_bytes(), f"the key stands in {path.name}"


def _off_diagonal(matrix: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return matrix[~np.eye(len(matrix), dtype=bool)]
