"""What the grid says: in 80 columns, with the figures of its tables."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from examples.miniature.law.arguments import parse
from examples.miniature.law.console import print_plan, print_summary
from examples.miniature.law.plan import FULL
from examples.miniature.law.tables import NUMBERS, OUTCOMES, NumbersRow, OutcomeRow, write_rows


def said(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=80)


def outcome(router: str, task: str, temperature: float, setting: str, problem: int) -> OutcomeRow:
    """0.25 diverse without Expert-Sample and 0.5 with it; every second problem is solved, by a quarter or half."""
    n_right = (8 if setting else 4) * (problem % 2)
    diversity = 0.5 if setting else 0.25
    return OutcomeRow(router, task, "s", temperature, 0.8, setting, f"c{problem}", 16, n_right, diversity, 1.0, None)


def test_the_summary_has_a_row_a_temperature_and_fits(console: Console, tmp_path: Path) -> None:
    cells = [(part.router, part.task.name, cell) for part in FULL.parts for cell in part.cells]
    write_rows(
        tmp_path / OUTCOMES,
        [outcome(router, task, cell.temperature, cell.setting, p) for router, task, cell in cells for p in range(4)],
    )
    write_rows(
        tmp_path / NUMBERS,
        [
            NumbersRow(router, task, cell.temperature, 0.8, cell.setting, 0.125, 0.1, 0.1125 if cell.setting else 0, 0)
            for router, task, cell in cells
            if cell.temperature
        ],
    )
    print_summary(console, tmp_path, 1.0)
    lines = said(console)
    assert str(tmp_path) in lines[-1]  # a path may be longer than any line
    assert max(map(len, lines[:-1])) <= 80
    rows = [line.split() for line in lines if line.startswith(("flat", "peaked", "middle"))]
    assert len(rows) == sum(len(design.routers) * len(design.temperatures) for design in FULL.designs)
    figures = ["0.125", "0.11", "0.250", "0.500", "0.125", "0.250", "0.500", "0.500"]
    assert all(row[3:] == figures for row in rows)


def test_the_plan_says_how_much_how_long_and_what_is_trained(console: Console, tmp_path: Path) -> None:
    for name in ("flat", "middle"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "training.json").touch()
    print_plan(console, parse(["--routers", str(tmp_path), "--tasks", "four"]), 2)
    lines = said(console)
    assert max(map(len, lines)) <= 80
    (total,) = (line for line in lines if "responses, about" in line)
    assert total.startswith(f"{sum(part.n_responses for part in FULL.parts if part.task.name == 'four'):,} responses")
    assert any(line.endswith("to be trained: peaked") for line in lines)
