"""Retest noise and order asymmetry, where repeated draws and both orders were bought."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import count, permutations
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import diversity_judge as dj
from diversity_judge.comparing.console import print_comparison
from diversity_judge.inputs.responses import Response
from diversity_judge.score import main as score
from tests.diversity_judge.run_folders import group, make_run

PROBLEMS = ("p0", "p1", "p2")
N, DRAWS = 3, 3
WOBBLE = {"steady": (0, 0, 0), "noisy": (-1, 0, 2)}
"""Added to the scores of a pair, draw by draw."""


def base(first: Response, second: Response) -> int:
    """The first sample shown first scores a point more: a judge that minds the order."""
    return 2 + (int(first.sample_id) < int(second.sample_id))


def wobbling() -> Callable[[Response, Response], int]:
    drawn: dict[tuple[str, str], count[int]] = {}

    def judge(first: Response, second: Response) -> int:
        draws = drawn.setdefault((first.problem_id + first.text, second.text), count())
        return base(first, second) + WOBBLE[first.strategy][next(draws)]

    return judge


@pytest.fixture
def run(tmp_path: Path) -> Path:
    groups = [group(p, s, [{"text": f"{s} {i}"} for i in range(N)]) for p in PROBLEMS for s in WOBBLE]
    return make_run(tmp_path / "run", groups, wobbling(), orders="both", draws=DRAWS)


def test_the_tables_of_score_say_both_by_group_and_by_strategy(run: Path) -> None:
    expected = {name: float(np.std(draws, ddof=1)) for name, draws in WOBBLE.items()}
    for name in ("scores.csv", "strategies.csv"):
        table = pd.read_csv(run / name)
        assert table.groupby("strategy")["retest_sd"].mean().to_dict() == pytest.approx(expected)
        # Means over draws differ by the point that the order is worth.
        assert table["order_asymmetry"].tolist() == pytest.approx([1.0] * len(table))


def test_a_comparison_says_both(run: Path) -> None:
    comparison = dj.compare([run])
    for strategy, draws in WOBBLE.items():
        row = comparison.process.where(metric="retest_sd", strategy=strategy)[0]
        assert row.value == pytest.approx(np.std(draws, ddof=1))
        assert row.n_problems == len(PROBLEMS)
    console = Console(file=io.StringIO(), width=200)
    print_comparison(console, comparison, [])
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "retest sd" in printed
    assert "order asymmetry" in printed


def test_draws_are_averaged_before_anything_else_is_measured(run: Path) -> None:
    mine = [mean(2 + (i < j) + wobble for wobble in WOBBLE["noisy"]) for i, j in permutations(range(N), 2)]
    row = dj.compare([run]).process.where(metric="diversity", strategy="noisy")[0]
    assert row.value == pytest.approx(1 - mean(mine) / 5)


def test_nothing_is_said_of_noise_that_was_not_bought(tmp_path: Path) -> None:
    groups = [group(p, "steady", [{"text": f"{i}"} for i in range(N)]) for p in PROBLEMS]
    folder = make_run(tmp_path / "run", groups, base)
    assert pd.read_csv(folder / "scores.csv")["retest_sd"].isna().all()
    assert pd.read_csv(folder / "strategies.csv")[["retest_sd", "order_asymmetry"]].isna().all(axis=None)
    comparison = dj.compare([folder])
    assert not comparison.process.where(metric="retest_sd")
    assert not any("retest" in note for note in comparison.notes)


def test_score_prints_both_where_they_were_bought(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "responses.jsonl"
    texts = ("add 2 and 3", "add 2 and 4", "multiply 7 by 8")
    path.write_text("".join(f'{{"problem_id": "p", "response": "{text}"}}\n' for text in texts))
    plain = [str(path), "--judge", "proxy", "--no-heatmaps"]
    assert score([*plain, "--out", str(tmp_path / "one")]) == 0
    assert "retest sd" not in capsys.readouterr().out
    assert score([*plain, "--out", str(tmp_path / "two"), "--orders", "both", "--draws", "2"]) == 0
    printed = capsys.readouterr().out
    assert "retest sd" in printed
    assert "order asymmetry" in printed
    # The proxy is repeatable and blind to order.
    table = pd.read_csv(tmp_path / "two" / "strategies.csv")
    assert table[["retest_sd", "order_asymmetry"]].to_numpy().tolist() == [[0.0, 0.0]]
