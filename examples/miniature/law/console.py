"""What the grid says before it starts and when it is done; in 80 columns."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from diversity_judge.terminal import Column, print_table
from diversity_judge.wording import number
from examples.miniature.law import models
from examples.miniature.law.arguments import Options
from examples.miniature.law.plan import ALONE, GREEDY
from examples.miniature.law.sampling import seconds
from examples.miniature.law.tables import read_numbers, read_outcomes


def print_plan(console: Console, asked: Options, replicas: int) -> None:
    """Which parts are to be done, and about how long they take where nothing of them is there."""
    parts = asked.parts
    minutes = [seconds(part, replicas) / 60 for part in parts]
    total = f"about {sum(minutes):.0f} minutes on {replicas} cores where nothing is there yet"
    missing = sorted(
        {part.router for part in parts if models.find(part.router, asked.routers) is None} - {*models.MIXED}
    )
    facts = [f"{sum(part.n_responses for part in parts):,} responses, {total}"]
    if missing:
        facts.append(f"and about {models.TRAINING_MINUTES} minutes for each model to be trained: {', '.join(missing)}")
    print_table(
        console,
        f"Grid in {asked.out}",
        facts,
        [
            Column("router", [part.router for part in parts], is_name=True),
            Column("task", [part.task.name for part in parts], is_name=True),
            Column("problems", [str(part.problems) for part in parts]),
            Column("cells", [str(len(part.cells)) for part in parts]),
            Column("responses", [f"{part.n_responses:,}" for part in parts]),
            Column("minutes", [f"{time:.0f}" for time in minutes]),
        ],
    )


def print_summary(console: Console, folder: Path, minutes: float) -> None:
    """A row a cell of the whole folder: what could be known before, and what was achieved."""
    outcomes, numbers = read_outcomes(folder), read_numbers(folder)
    outcomes = outcomes[outcomes.strategy != GREEDY]
    outcomes = outcomes.assign(rate=outcomes.n_right / outcomes.n, any_right=outcomes.n_right > 0)
    keys = ["router", "task", "temperature", "setting"]
    means = outcomes.groupby(keys)[["diversity", "rate", "any_right"]].mean().reset_index()
    rows = means.merge(numbers, on=keys, how="left")
    print_table(
        console,
        "Cells",
        ["entropy of the next token in nats, weight on new experts, means over problems"],
        [
            Column("router", list(rows.router), is_name=True),
            Column("task", list(rows.task), is_name=True),
            Column("T", [f"{value:g}" for value in rows.temperature], is_name=True),
            Column("setting", ["tokens" if s == ALONE else s for s in rows.setting], is_name=True),
            Column("entropy", [number(value) for value in rows.entropy]),
            Column("new", [number(value) for value in rows.new_share]),
            Column("divers.", [number(value) for value in rows.diversity]),
            Column("pass@1", [number(value) for value in rows.rate]),
            Column("pass@n", [number(value) for value in rows.any_right]),
        ],
    )
    console.print(f"{minutes:.1f} minutes. Tables are in {folder}", style="bold", soft_wrap=True)
