"""What the page says of the law, from the tables that `python -m examples.miniature.law` leaves in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from diversity_judge.errors import InputError
from diversity_judge.measures.paired import LEVEL
from examples.miniature.law.frontier import Place
from examples.miniature.law.plan import TASKS
from examples.miniature.law.tables import read_outcomes
from examples.miniature.points import Measured
from examples.miniature.tokens import solution_length
from examples.miniature.verdicts import DIVERSITY_MARGIN

METRICS = {
    "diversity": "diversity",
    "pass_at_1": "pass@1",
    "pass_at_n": "pass@n",
    "best_of_n": "Best-of-N",
    "best_of_n_learned": "Best-of-N by the learned model",
}
"""Of the tables, and how a reader knows them."""
_DEFAULT = "default"
_NEEDED = "weight for"
"""Begins the name of what follows from the fitted numbers; the sentences say it."""


@dataclass(frozen=True)
class Cell:
    """One router, task, temperature and setting, with what Expert-Sample adds there.

    Attributes:
        where: Router, task, temperature and setting, in words.
        entropy: Of the next token under the tokens alone, in nats.
        new_share: Of the weight.
        diversity: Of the tokens alone.
        gains: Metric to what is added; NaN for Best-of-N by the learned model where that does not know the task.
        is_confirmed: Whether diversity surely grows, adjusted by Holm over all cells.
    """

    where: str
    entropy: float
    new_share: float
    diversity: float
    gains: dict[str, Measured]
    is_confirmed: bool


@dataclass(frozen=True)
class Advice:
    """A row of the table for practice.

    Attributes:
        entropy: Of the next token, in nats.
        new_share: Of the weight, that Expert-Sample would put on new experts.
        gains: Metric to what the law expects.
    """

    entropy: float
    new_share: float
    gains: dict[str, Measured]

    @property
    def what_to_do(self) -> str:
        """By the rule that was written before: a gain in diversity that matters, surely, surely not, or neither."""
        diversity = self.gains["diversity"]
        if diversity.low > DIVERSITY_MARGIN:
            return "it adds diversity: Expert-Sample, or hotter tokens"
        if diversity.high < DIVERSITY_MARGIN:
            return "it adds next to nothing: hotter tokens alone"
        return "it may add some: try it on a hundred problems"


@dataclass(frozen=True)
class TaskRow:
    """What one model can do on one task.

    Attributes:
        task: Its name.
        n_steps: Of a right solution.
        n_tokens: Of a right solution, without its end.
        targets: The least and the largest.
        router: The model's.
        n_problems: Behind the greedy accuracy.
        greedy: Share of problems that are solved by the likeliest tokens.
        diversity: Temperature of the tokens alone to their mean diversity.
    """

    task: str
    n_steps: int
    n_tokens: int
    targets: tuple[int, int]
    router: str
    n_problems: int
    greedy: float
    diversity: dict[float, float]


@dataclass(frozen=True)
class LawPage:
    """Everything that the page says of the law.

    Attributes:
        sentences: What was found, as the command printed it.
        parameters: (metric, parameter, value) of the fitted law over all tasks.
        cells: What was measured, with the setting that the paper has.
        advice: What is expected where it was measured.
        practice_form: Name of the form that expects it.
        settings: Of the flattest router, its cells with other settings and, beside them, the paper's.
        tasks: What the models can do on each task.
        frontier: (what is equal, what is compared, verdict) to the number of cells.
        above: Points above the frontier, in words.
        below: Points below it, in words.
        n_outcomes: Problems times cells.
    """

    sentences: tuple[str, ...]
    parameters: tuple[tuple[str, str, Measured], ...]
    cells: tuple[Cell, ...]
    advice: tuple[Advice, ...]
    practice_form: str
    settings: tuple[Cell, ...]
    tasks: tuple[TaskRow, ...]
    frontier: dict[tuple[str, str], dict[str, int]]
    above: tuple[str, ...]
    below: tuple[str, ...]
    n_outcomes: int

    @property
    def holds(self) -> tuple[Cell, ...]:
        """Where Expert-Sample surely adds diversity."""
        return tuple(cell for cell in self.cells if cell.is_confirmed)

    @property
    def does_not_hold(self) -> tuple[Cell, ...]:
        """Where that is not sure."""
        return tuple(cell for cell in self.cells if not cell.is_confirmed)


def read_law(folder: Path) -> LawPage:
    """Read the law's tables.

    Raises:
        FileNotFoundError: the law has not been fitted in this folder.
        InputError: the grid has not been sampled in it, or its tables are of an older version.
    """
    frontier = _read(folder / "frontier.csv")
    counts = frontier.groupby(["equal", "metric", "verdict"], sort=False).size().reset_index(name="n")
    compared: dict[tuple[str, str], dict[str, int]] = {}
    for _, row in counts.iterrows():
        compared.setdefault((METRICS[row["equal"]], METRICS[row["metric"]]), {})[row["verdict"]] = int(row["n"])
    practice = _read(folder / "practice.csv")
    effects, outcomes = _read(folder / "effects.csv"), read_outcomes(folder)
    lacking = [metric for metric in METRICS if f"{metric}_gain" not in effects]
    if lacking:
        raise InputError(
            f"{folder / 'effects.csv'} is of an older version and lacks {', '.join(lacking)}: "
            f"run python -m examples.miniature.law --out {folder} once more; nothing is sampled again"
        )
    return LawPage(
        tuple((folder / "said.txt").read_text(encoding="utf-8").splitlines()),
        tuple(_parameters(_read(folder / "law.csv"))),
        tuple(_cells(effects)),
        tuple(_advice(practice)),
        ", ".join(practice[practice.metric == "diversity"].form.unique()),
        tuple(_settings(effects)),
        tuple(_tasks(outcomes)),
        compared,
        tuple(_called(frontier, Place.ABOVE)),
        tuple(_called(frontier, Place.BELOW)),
        len(outcomes),
    )


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


def _parameters(table: pd.DataFrame) -> Sequence[tuple[str, str, Measured]]:
    law = table[table.form == table.form.iloc[0]]
    law = law[(law.task == law.task.iloc[0]) & ~law.parameter.str.startswith(_NEEDED)]
    return [
        (METRICS[row.metric], row.parameter, Measured(row.value, row.ci_low, row.ci_high)) for row in law.itertuples()
    ]


def _cells(table: pd.DataFrame) -> Sequence[Cell]:
    shown = table[table.setting == _DEFAULT].sort_values("diversity_gain", ascending=False)
    return [_cell(row) for _, row in shown.iterrows()]


def _settings(table: pd.DataFrame) -> Sequence[Cell]:
    others = table[table.setting != _DEFAULT]
    if others.empty:
        return []
    flattest = table[table.setting == _DEFAULT].sort_values("new_share").router.iloc[-1]
    keys = ["task", "temperature"]
    places = others[others.router == flattest][keys].drop_duplicates()
    shown = table[table.router == flattest].merge(places, on=keys)
    return [_cell(row) for _, row in shown.sort_values([*keys, "new_share"]).iterrows()]


def _tasks(outcomes: pd.DataFrame) -> Sequence[TaskRow]:
    greedy = outcomes[outcomes.temperature == 0]
    alone = outcomes[(outcomes.temperature > 0) & (outcomes.setting == "")]
    diversity = alone.groupby(["task", "router", "temperature"]).diversity.mean()
    found = []
    for task in TASKS.values():
        mine = greedy[greedy.task == task.name]
        for router in mine.router.unique():
            rows = mine[mine.router == router]
            length = solution_length(task.n_numbers) - 1
            accuracy, by_temperature = float((rows.n_right / rows.n).mean()), diversity[task.name, router].to_dict()
            steps, targets = task.n_numbers - 1, (task.targets[0], task.targets[-1])
            found.append(TaskRow(task.name, steps, length, targets, router, len(rows), accuracy, by_temperature))
    return found


def _cell(row: pd.Series) -> Cell:
    gains = {name: Measured(row[f"{name}_gain"], row[f"{name}_ci_low"], row[f"{name}_ci_high"]) for name in METRICS}
    is_confirmed = row["diversity_gain"] > 0 and row["diversity_p_holm"] <= LEVEL
    return Cell(_where(row), row["entropy"], row["new_share"], row["diversity_tokens"], gains, bool(is_confirmed))


def _where(row: pd.Series) -> str:
    setting = "" if row["setting"] == _DEFAULT else f", {row['setting']}"
    return f"{row['router']}, {row['task']} numbers, T {row['temperature']:g}{setting}"


def _advice(table: pd.DataFrame) -> Sequence[Advice]:
    found: dict[tuple[float, float], dict[str, Measured]] = {}
    for _, row in table[table.is_measured].iterrows():
        gain = Measured(row["gain"], row["ci_low"], row["ci_high"])
        found.setdefault((row["entropy"], row["new_share"]), {})[row["metric"]] = gain
    return [Advice(entropy, share, gains) for (entropy, share), gains in sorted(found.items())]


def _called(frontier: pd.DataFrame, place: Place) -> Sequence[str]:
    return [_place(row) for _, row in frontier[frontier.verdict == place.value].iterrows()]


def _place(row: pd.Series) -> str:
    numbers, digits, unit = [row["difference"], row["ci_low"], row["ci_high"]], 3, ""
    if row["metric"] != "diversity":
        numbers, digits, unit = [100 * number for number in numbers], 1, " points"
    value, low, high = (f"{number:+.{digits}f}" for number in numbers)
    return f"{_where(row)}: {METRICS[row['metric']]} {value}{unit} ({low} to {high}) at equal {METRICS[row['equal']]}"
