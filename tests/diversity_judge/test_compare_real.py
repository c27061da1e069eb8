"""Comparisons of real responses: what must come out whatever the judge."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import diversity_judge as dj
from diversity_judge.comparing.result import Comparison
from diversity_judge.score import main as score

EXAMPLE = Path(__file__).parents[2] / "examples" / "responses.jsonl"
QWEN = Path(__file__).parent / "data" / "qwen25math.jsonl.gz"


@pytest.fixture(scope="module")
def temperatures(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("example") / "run"
    assert score([str(EXAMPLE), "--judge", "proxy", "--out", str(folder), "--no-heatmaps", "--quiet"]) == 0
    return dj.compare([folder], baseline="T0.7")


@pytest.fixture(scope="module")
def qwen() -> pd.DataFrame:
    with gzip.open(QWEN, "rt", encoding="utf-8") as file:
        return pd.DataFrame([json.loads(line) for line in file])


def test_similarity_falls_with_temperature(temperatures: Comparison) -> None:
    values = {row.strategy: 1 - row.value for row in temperatures.process.where(metric="diversity")}
    ordered = [values[name] for name in sorted(values)]
    assert all(cold > hot for cold, hot in pairwise(ordered)), values


def test_one_text_ten_times_has_no_diversity_and_no_spread(temperatures: Comparison) -> None:
    row = temperatures.process.where(strategy="T0.0", metric="diversity")[0]
    assert (row.value, row.ci_low) == (0, 0)
    assert row.ci_high == pytest.approx(1 - 0.025 ** (1 / row.n_problems)), "what so many equal problems leave open"
    assert temperatures.process.where(strategy="T0.0", metric="vendi")[0].value == pytest.approx(1)
    assert temperatures.process.where(strategy="T0.0", metric="approaches")[0].value == 1


def test_proxy_scores_are_named_as_such(temperatures: Comparison) -> None:
    assert temperatures.is_proxy
    assert temperatures.judges[0].startswith("proxy judge, not an LLM")
    assert temperatures.problem_table.to_frame()["judge"].str.startswith("proxy judge, not an LLM").all()


def test_best_of_n_and_votes_of_real_rewards(qwen: pd.DataFrame, tmp_path: Path) -> None:
    """Against pandas: argmax of the reward, mode of the answers, argmax of the mean reward by answer."""
    path = tmp_path / "responses.jsonl"
    path.write_bytes(gzip.decompress(QWEN.read_bytes()))
    outcomes = dj.compare([path]).outcomes

    def value(metric: str) -> float:
        return outcomes.where(metric=metric, tier="all")[0].value

    def tied(values: Any, right: Any) -> float:
        return float(right[values == values.max()].mean())

    problems = qwen.groupby("problem_id")
    assert value("best_of_n") == pytest.approx(problems.apply(lambda g: tied(g.reward, g.correct)).mean())
    answers = qwen.groupby(["problem_id", "answer"]).agg(
        votes=("correct", "size"), right=("correct", "mean"), reward=("reward", "mean")
    )
    by_problem = answers.groupby("problem_id")
    assert value("majority") == pytest.approx(by_problem.apply(lambda g: tied(g.votes, g.right)).mean())
    assert value("weighted_majority") == pytest.approx(by_problem.apply(lambda g: tied(g.reward, g.right)).mean())
    assert value("pass_rate") == pytest.approx(problems["correct"].mean().mean())
    assert 0 < value("best_of_n") < 1
    assert not np.isclose(value("best_of_n"), value("pass_rate"))
