"""The two tables that the law is fitted to: what was achieved, and what could have been known before.

A part of the grid writes both into its own folder; above the parts stand those of all of them together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diversity_judge.errors import InputError
from diversity_judge.files import write_csv, write_frame

if TYPE_CHECKING:
    import pandas as pd

OUTCOMES, NUMBERS = "outcomes.csv", "numbers.csv"
LEARNED = "best_of_n_learned"
"""The column of the learned reward model's choice."""
_TEXTS = ("router", "task", "strategy", "setting", "problem_id")


@dataclass(frozen=True)
class OutcomeRow:
    """What one strategy achieved on one problem: a row of `outcomes.csv`.

    Attributes:
        router: Name of the model.
        task: Name of the task.
        strategy: As `generation.sample` takes it.
        temperature: Of the token sampling; 0 is greedy.
        top_p: Of the token sampling.
        setting: Of Expert-Sample; empty for token sampling alone.
        problem_id: Of the problem.
        n: Responses.
        n_right: Those that solve the problem.
        diversity: 0..1 by the exact judge, over all pairs of responses with steps; None with fewer than two of them.
        best_of_n: Chance that the response that the verifier by rules likes best is right, ties shared evenly.
        best_of_n_learned: The same of the learned reward model; None for a task that it was not trained for.
    """

    router: str
    task: str
    strategy: str
    temperature: float
    top_p: float
    setting: str
    problem_id: str
    n: int
    n_right: int
    diversity: float | None
    best_of_n: float
    best_of_n_learned: float | None


@dataclass(frozen=True)
class NumbersRow:
    """What can be known of a cell before 32 responses are paid for: a row of `numbers.csv`.

    Attributes:
        router: Name of the model.
        task: Name of the task.
        temperature: Of the token sampling.
        top_p: Of the token sampling.
        setting: Of Expert-Sample; empty for token sampling alone.
        entropy: Of the next token under the token sampling alone, in nats; mean over tokens, then problems.
        entropy_se: Its standard error over problems.
        new_share: Share of a layer's weight, 0..1, that the setting puts on experts that top-k would not take.
        new_share_se: Its standard error over problems.
    """

    router: str
    task: str
    temperature: float
    top_p: float
    setting: str
    entropy: float
    entropy_se: float
    new_share: float
    new_share_se: float


def write_rows(path: Path, rows: list[OutcomeRow] | list[NumbersRow]) -> None:
    """Write a table whole."""
    write_csv(path, map(asdict, rows))


def read_outcomes(folder: Path) -> pd.DataFrame:
    """The outcomes of a folder, the columns of `OutcomeRow`; what there is none of is NaN.

    A table of before the learned reward model chose has no choice of it in any row.

    Raises:
        InputError: the folder has no such table.
    """
    table = _read(folder / OUTCOMES)
    return table if LEARNED in table else table.assign(**{LEARNED: float("nan")})


def read_numbers(folder: Path) -> pd.DataFrame:
    """The models' numbers of a folder, the columns of `NumbersRow`.

    Raises:
        InputError: the folder has no such table.
    """
    return _read(folder / NUMBERS)


def put_together(folder: Path, parts: list[Path]) -> None:
    """Write both tables of all parts into the folder above them."""
    import pandas as pd

    for name, read in ((OUTCOMES, read_outcomes), (NUMBERS, read_numbers)):
        frames = [read(part) for part in parts if (part / name).exists()]
        if frames:
            write_frame(folder / name, pd.concat(frames, ignore_index=True))


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.exists():
        raise InputError(f"{path} is not there: run python -m examples.miniature.law first")
    # An empty setting is a word of its own, not a missing one.
    return pd.read_csv(
        path,
        dtype=dict.fromkeys(_TEXTS, "str"),
        keep_default_na=False,
        na_values={column: [""] for column in ("diversity", LEARNED)},
    )
