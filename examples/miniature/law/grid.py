"""The law's two tables as arrays: a task is a matrix of problems by cells for each metric.

A cell is one way to sample: a router, a token sampling (temperature, top-p) and a setting of Expert-Sample, "" for the
tokens alone. A cell with a setting is looked at beside the tokens alone of the same router and token sampling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diversity_judge.measures.outcomes import pass_at_k
from examples.miniature.law.plan import TASKS
from examples.miniature.law.tables import LEARNED

METRICS = ("diversity", "pass_at_1", "pass_at_n", "best_of_n", LEARNED)
"""In the order of the tables. pass@n is that of all responses of a group; a task may have no learned Best-of-N."""
KEYS = ("router", "task", "temperature", "top_p", "setting")
"""What tells a cell from another one."""
_NUMBERS = ("temperature", "top_p", "entropy", "entropy_se", "new_share", "new_share_se")
_TABLES = "outcomes.csv and numbers.csv"


@dataclass(frozen=True, order=True)
class Cell:
    """One way to sample.

    Attributes:
        router: Name of the model.
        task: Which problems.
        temperature: Of the tokens.
        top_p: Of the tokens.
        setting: Of Expert-Sample; "" for the tokens alone.
        entropy: Of the next token under the token sampling alone, in nats a token.
        entropy_se: Its standard error over problems.
        new_share: Mean weight on experts that top-k would not take.
        new_share_se: Its standard error over problems.
    """

    router: str
    task: str
    temperature: float
    top_p: float
    setting: str
    entropy: float = float("nan")
    entropy_se: float = 0.0
    new_share: float = 0.0
    new_share_se: float = 0.0

    @property
    def tokens(self) -> tuple[str, str, float, float]:
        """Its router, task and token sampling: what it shares with the tokens alone."""
        return self.router, self.task, self.temperature, self.top_p


@dataclass(frozen=True)
class TaskGrid:
    """Everything that was measured on one task.

    Attributes:
        task: Its name.
        problems: (P,) their ids.
        cells: (C,) in the order of router, temperature, top-p, setting.
        values: Metric to (P, C); NaN where a cell has no value for a problem.
        n: Responses a problem: the n of pass@n.
    """

    task: str
    problems: tuple[str, ...]
    cells: tuple[Cell, ...]
    values: Mapping[str, NDArray[np.float64]]
    n: int

    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(K,) places of the cells with Expert-Sample, and (K,) of the tokens alone beside each."""
        alone = {cell.tokens: place for place, cell in enumerate(self.cells) if not cell.setting}
        own = [place for place, cell in enumerate(self.cells) if cell.setting and cell.tokens in alone]
        beside = [alone[self.cells[place].tokens] for place in own]
        return np.array(own, dtype=np.intp), np.array(beside, dtype=np.intp)


def grids_of(outcomes: pd.DataFrame, numbers: pd.DataFrame) -> tuple[TaskGrid, ...]:
    """The tables as one grid a task; greedy answers (temperature 0) are no sampling and are left out.

    Args:
        outcomes: Of outcomes.csv.
        numbers: Of numbers.csv.

    Raises:
        ValueError: a cell has two values for a problem, or none of the two numbers it is placed by.
    """
    sampled = outcomes[outcomes["temperature"] > 0]
    placed = {key: _cell(rows.iloc[0]) for key, rows in numbers.groupby(list(KEYS))}
    tasks = sorted(sampled["task"].unique(), key=lambda task: TASKS[task].n_numbers)
    return tuple(_grid(task, sampled[sampled["task"] == task], placed) for task in tasks)


def with_numbers(outcomes: pd.DataFrame, numbers: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The outcomes of cells that a law can place, and how many cells it cannot: their numbers are not measured yet.

    Args:
        outcomes: Of outcomes.csv.
        numbers: Of numbers.csv.
    """
    known = pd.MultiIndex.from_frame(numbers[list(KEYS)])
    own = pd.MultiIndex.from_frame(outcomes[list(KEYS)])
    is_placed = own.isin(known) | (outcomes["temperature"] == 0).to_numpy()
    return outcomes[is_placed], len(own[~is_placed].unique())


def _cell(row: pd.Series[Any]) -> Cell:
    """A row of numbers.csv."""
    names = {name: str(row[name]) for name in ("router", "task", "setting")}
    return Cell(**names, **{name: float(row[name]) for name in _NUMBERS})  # type: ignore[arg-type]


def _grid(task: str, rows: pd.DataFrame, placed: Mapping[Any, Cell]) -> TaskGrid:
    n = int(rows["n"].min())
    rows = rows.assign(pass_at_1=rows["n_right"] / rows["n"], pass_at_n=_pass_at(rows, n))
    problems = sorted(rows["problem_id"].unique())
    cells, columns = [], []
    for key, own in rows.groupby(list(KEYS)):
        if key not in placed:
            raise ValueError(f"{_TABLES}: the entropy and the new share of {_words(key)} are missing; measure them too")
        table = own.set_index("problem_id")[list(METRICS)]
        if not table.index.is_unique:
            raise ValueError(f"{_TABLES}: a problem stands twice in {_words(key)}")
        cells.append(placed[key])
        columns.append(table.reindex(problems).to_numpy(dtype=np.float64))
    values = {metric: np.stack([column[:, i] for column in columns], axis=1) for i, metric in enumerate(METRICS)}
    return TaskGrid(task, tuple(map(str, problems)), tuple(cells), values, n)


def _pass_at(rows: pd.DataFrame, k: int) -> list[float]:
    pairs = list(zip(rows["n"].tolist(), rows["n_right"].tolist(), strict=True))
    known = {pair: pass_at_k(*pair, k) for pair in set(pairs)}
    return [known[pair] for pair in pairs]


def _words(key: tuple[object, ...]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in zip(KEYS, key, strict=True))
