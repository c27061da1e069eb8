"""verification.csv and what the console says of it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import diversity_judge as dj
from diversity_judge.comparing.verification_console import print_verification
from diversity_judge.measures.step_rewards import AGGREGATES

Change = Callable[[int, int, dict[str, Any]], None]
STRATEGIES = ("token-normal", "expert-sample")


def written(path: Path, change: Change | None = None) -> Path:
    """Seven problems, five responses each under two strategies; the reward errs on every third response."""
    lines = []
    for problem in range(7):
        for strategy in STRATEGIES:
            for i in range(5):
                right = (i + problem) % 3 == 0
                good = right != ((i * problem) % 3 == 1)
                steps = [0.2 + 0.1 * i, 0.9 if good else 0.3]
                row: dict[str, Any] = {"problem_id": f"p{problem}", "strategy": strategy, "response": f"{strategy} {i}"}
                row |= {"answer": "7" if right else str(i % 2), "correct": right, "reward": min(steps)}
                row |= {"meta": {"step_rewards": steps}}
                if change:
                    change(problem, i, row)
                lines.append(json.dumps(row))
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> dj.Comparison:
    return dj.compare([written(tmp_path_factory.mktemp("verification") / "responses.jsonl")])


@pytest.mark.parametrize("tier", ["all", "Medium"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_at_all_responses_value_and_interval_are_those_of_the_outcomes(
    comparison: dj.Comparison, strategy: str, tier: str
) -> None:
    names = {"oracle": ("pass_at_k", ""), "best_of_n": ("best_of_n", "reward"), "majority": ("majority", "")}
    names["weighted_majority"] = ("weighted_majority", "reward")
    for method, (metric, reward) in names.items():
        here = {"strategy": strategy, "tier": tier}
        (row,) = comparison.verification.where(method=method, reward=reward, n=5, **here)
        (outcome,) = comparison.outcomes.where(metric=metric, k=5, **here)
        assert row.value == pytest.approx(outcome.value, abs=1e-12)
        assert row.n_problems == outcome.n_problems
        assert (row.ci_low, row.ci_high) == pytest.approx((outcome.ci_low, outcome.ci_high), abs=1e-8)


def test_every_n_has_a_row_and_a_tier_those_of_a_pass_curve(comparison: dj.Comparison) -> None:
    here = {"strategy": "token-normal", "method": "best_of_n"}
    assert [row.n for row in comparison.verification.where(tier="all", reward="reward", **here)] == [1, 2, 3, 4, 5]
    assert [row.n for row in comparison.verification.where(tier="Medium", reward="reward", **here)] == [1, 2, 4, 5]
    for how in AGGREGATES:
        assert [row.n for row in comparison.verification.where(tier="all", reward=how, **here)] == [1, 2, 4, 5]


def test_the_aggregate_that_made_the_reward_says_the_same_as_it(comparison: dj.Comparison) -> None:
    for method in ("best_of_n", "weighted_majority", "weighted_sum"):
        own = comparison.verification.where(method=method, reward="reward", tier="all", n=4)
        assert [r.value for r in own] == [
            r.value for r in comparison.verification.where(method=method, reward="min", tier="all", n=4)
        ]


def test_a_group_that_lacks_a_reward_is_left_out_and_said(tmp_path: Path) -> None:
    def lose(problem: int, i: int, row: dict[str, Any]) -> None:
        if (problem, i) == (3, 2):
            row["reward"] = None
            row["meta"] = {"step_rewards": [0.5, None]}

    found = dj.compare([written(tmp_path / "responses.jsonl", lose)])
    counts = {(r.method, r.reward): r.n_problems for r in found.verification.where(tier="all", n=5)}
    assert counts["oracle", ""] == counts["majority", ""] == 7
    assert {n for (_, reward), n in counts.items() if reward} == {6}
    (note,) = [note for note in found.notes if note.startswith("aggregates of step rewards")]
    assert "2 of 14 groups" in note


def test_without_rewards_there_is_an_oracle_and_a_majority_and_the_console_is_silent(tmp_path: Path) -> None:
    def forget(problem: int, i: int, row: dict[str, Any]) -> None:
        del row["reward"], row["meta"]

    found = dj.compare([written(tmp_path / "responses.jsonl", forget)])
    assert {row.method for row in found.verification} == {"oracle", "majority"}
    assert printed(found) == ""


@pytest.mark.parametrize("width", [80, 60])
def test_the_console_fits_and_shows_the_table(comparison: dj.Comparison, width: int) -> None:
    shown = printed(comparison, width)
    assert max(map(len, shown.splitlines())) <= width
    (row,) = comparison.verification.where(
        strategy="expert-sample", method="best_of_n", reward="reward", tier="all", n=4
    )
    line = next(x for x in shown.splitlines() if re.match(r"expert-\S+ +Best-of-N", x))
    assert f"{row.value:.3f}" in line
    assert "mean" in shown


def printed(comparison: dj.Comparison, width: int = 80) -> str:
    out = io.StringIO()
    print_verification(Console(file=out, width=width), comparison.verification, comparison.strategies)
    return out.getvalue()
