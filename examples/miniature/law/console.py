"""What the grid says before it starts and when it is done; in 80 columns."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from diversity_judge.terminal import Column, print_table
from diversity_judge.wording import number
from examples.miniature.law import models
from examples.miniature.law.arguments import Options
from examples.miniature.law.plan import ALONE, DEFAULT
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
    """A row a router, task and temperature of the whole folder: token sampling alone, and with the default setting."""
    outcomes = read_outcomes(folder)
    outcomes = outcomes.assign(rate=outcomes.n_right / outcomes.n, any_right=outcomes.n_right > 0)
    keys = ["router", "task", "temperature"]
    means = outcomes.groupby([*keys, "setting"])[["diversity", "rate", "any_right"]].mean().reset_index()
    of_setting = {setting: means[means.setting == setting].set_index(keys) for setting in (ALONE, DEFAULT)}
    numbers = read_numbers(folder)
    known = numbers[numbers.setting == DEFAULT].set_index(keys)
    rows = [key for key in of_setting[DEFAULT].index if key in known.index]

    def both(column: str) -> list[str]:
        return [" ".join(number(table[column][key]) for table in of_setting.values()) for key in rows]

    print_table(
        console,
        "Token sampling alone, and with Expert-Sample at its defaults",
        ["nats: entropy of the next token; new: weight that may go to new experts"],
        [
            Column("router", [str(router) for router, _, _ in rows], is_name=True),
            Column("task", [str(task) for _, task, _ in rows], is_name=True),
            Column("T", [f"{temperature:g}" for _, _, temperature in rows], is_name=True),
            Column("nats", [number(known.entropy[key]) for key in rows]),
            Column("new", [number(known.new_share[key], 2) for key in rows]),
            Column("diversity", both("diversity")),
            Column("pass@1", both("rate")),
            Column("pass@n", both("any_right")),
        ],
    )
    console.print(f"{minutes:.1f} minutes. Tables are in {folder}", style="bold", soft_wrap=True)
