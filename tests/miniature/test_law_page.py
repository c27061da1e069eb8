"""What the page says of the law, from tables of known content."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversity_judge.files import Row, write_csv
from examples.miniature.law_page import METRICS, Advice, read_law
from examples.miniature.points import Measured

KEYS: Row = {"router": "flat", "task": "four", "temperature": 0.7, "top_p": 0.8}


def effect(setting: str, gain: float, p: float, temperature: float = 0.7, share: float = 0.12) -> Row:
    row: Row = {**KEYS, "temperature": temperature, "setting": setting, "entropy": 0.1, "new_share": share}
    for metric in METRICS:
        row |= {f"{metric}_tokens": 0.2, f"{metric}_gain": gain, f"{metric}_ci_low": gain - 0.01}
        row |= {f"{metric}_ci_high": gain + 0.01, f"{metric}_p_holm": p}
    return row


def outcomes() -> list[Row]:
    """Five problems of four numbers, of which three are solved greedily, and two of seven; one temperature above 0."""

    def row(task: str, temperature: float, setting: str, n: int, n_right: int, diversity: float | None) -> Row:
        keys: Row = {**KEYS, "task": task, "temperature": temperature, "setting": setting}
        return {**keys, "n": n, "n_right": n_right, "diversity": diversity}

    greedy = [row("four", 0.0, "", 1, int(i < 3), None) for i in range(5)]
    seven = [row("seven", 0.0, "", 1, 0, None), row("seven", 0.7, "", 32, 8, None), row("seven", 0.7, "", 32, 8, 0.5)]
    drawn = [row("four", 0.7, "", 32, 16, 0.1), row("four", 0.7, "", 32, 16, 0.3)]
    return [*seven, *greedy, *drawn, row("four", 0.7, "default", 32, 16, 0.9)]


@pytest.fixture
def law(tmp_path: Path) -> Path:
    effects = [
        effect("default", 0.01, 0.6, 1.4),
        effect("default", 0.1, 0.001),
        effect("k_keep=2", 0.2, 0.001, share=0.2),
    ]
    peaked: list[Row] = [
        {**effect(setting, 0.3, 0.001, 0.7, share), "router": "peaked"}
        for setting, share in (("default", 0.04), ("k_keep=2", 0.07))
    ]
    write_csv(tmp_path / "effects.csv", [*effects, effect("default", -0.05, 0.001, 2.0), *peaked])
    fitted: Row = {"n_cells": 3, "n_problems": 9, "value": 0.12, "ci_low": 0.1, "ci_high": 0.14}
    write_csv(
        tmp_path / "law.csv",
        [
            {"metric": "diversity", "task": "all", "form": "weight and entropy", "parameter": "a", **fitted},
            {"metric": "diversity", "task": "all", "form": "weight and entropy", "parameter": "weight for 1", **fitted},
            {"metric": "diversity", "task": "all", "form": "weight alone", "parameter": "a", **fitted},
            {"metric": "diversity", "task": "four", "form": "weight and entropy", "parameter": "a", **fitted},
        ],
    )
    point = {**KEYS, "setting": "default", "equal": "pass_at_1", "difference": 0.05, "ci_low": 0.02, "ci_high": 0.08}
    write_csv(
        tmp_path / "frontier.csv",
        [
            {**point, "metric": "diversity", "verdict": "above the frontier"},
            {**point, "metric": "diversity", "verdict": "on the frontier"},
            {**point, "metric": "pass_at_n", "verdict": "on the frontier"},
            {**point, "metric": "pass_at_n", "temperature": 2.0, "verdict": "below the frontier"},
        ],
    )
    expected: Row = {"form": "weight and entropy", "entropy": 0.1, "gain": 0.08, "ci_low": 0.06, "ci_high": 0.1}
    write_csv(
        tmp_path / "practice.csv",
        [
            {"metric": "diversity", "new_share": 0.1, "is_measured": True, **expected},
            {"metric": "pass_at_n", "new_share": 0.1, "is_measured": True, **expected},
            {"metric": "diversity", "new_share": 0.9, "is_measured": False, **expected},
        ],
    )
    write_csv(tmp_path / "outcomes.csv", outcomes())
    (tmp_path / "said.txt").write_text("One.\nTwo.\n", encoding="utf-8")
    return tmp_path


def test_the_other_settings_are_those_of_the_flattest_router_beside_the_papers(law: Path) -> None:
    # T 2 has no other setting, and the peaked router is not shown.
    assert [(cell.where, cell.new_share) for cell in read_law(law).settings] == [
        ("flat, four numbers, T 0.7", 0.12),
        ("flat, four numbers, T 0.7, k_keep=2", 0.2),
    ]


def test_a_grid_of_the_papers_setting_alone_has_no_other_settings(law: Path) -> None:
    write_csv(law / "effects.csv", [effect("default", 0.1, 0.001)])
    assert read_law(law).settings == ()


def test_the_tasks_say_what_the_models_can_do(law: Path) -> None:
    four, seven = read_law(law).tasks
    assert (four.task, four.n_steps, four.n_tokens, four.router, four.n_problems) == ("four", 3, 24, "flat", 5)
    assert four.greedy == pytest.approx(0.6)
    assert four.diversity == {0.7: pytest.approx(0.2)}  # of the tokens alone, greedy left out
    # 60 tokens: six steps; a problem without a diversity is left out of the mean.
    assert (seven.n_steps, seven.n_tokens, seven.targets) == (6, 60, (10, 49))
    assert (seven.greedy, seven.diversity) == (0.0, {0.7: 0.5})


def test_the_law_is_read(law: Path) -> None:
    page = read_law(law)
    assert page.sentences == ("One.", "Two.")
    assert page.parameters == (("diversity", "a", Measured(0.12, 0.1, 0.14)),)
    assert page.n_outcomes == len(outcomes())
    assert [(cell.where, cell.gains["pass_at_n"].value) for cell in page.holds] == [
        ("peaked, four numbers, T 0.7", 0.3),
        ("flat, four numbers, T 0.7", 0.1),
    ]
    assert [cell.gains["diversity"].value for cell in page.does_not_hold] == [0.01, -0.05]
    assert page.frontier == {
        ("pass@1", "diversity"): {"above the frontier": 1, "on the frontier": 1},
        ("pass@1", "pass@n"): {"on the frontier": 1, "below the frontier": 1},
    }
    assert page.above == ("flat, four numbers, T 0.7: diversity +0.050 (+0.020 to +0.080) at equal pass@1",)
    # Made up: what is below would have a negative difference.
    assert page.below == ("flat, four numbers, T 2: pass@n +5.0 points (+2.0 to +8.0) at equal pass@1",)
    (row,) = page.advice
    assert (row.entropy, row.new_share, row.what_to_do) == (
        0.1,
        0.1,
        "it adds diversity: Expert-Sample, or hotter tokens",
    )
    assert set(row.gains) == {"diversity", "pass_at_n"}
    assert page.practice_form == "weight and entropy"


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(0.031, 0.09, "it adds div"), (0.0, 0.029, "it adds next"), (0.01, 0.05, "it may"), (-0.1, 0.2, "it may")],
)
def test_advice_follows_from_the_interval(low: float, high: float, says: str) -> None:
    advice = Advice(0.1, 0.1, {"diversity": Measured((low + high) / 2, low, high)})
    assert advice.what_to_do.startswith(says)
