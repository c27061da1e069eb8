"""The comparisons of a run, each made and written in a process of its own: most of a report's time is theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from diversity_judge.compare import compare
from diversity_judge.comparing.figures import save_figures
from diversity_judge.comparing.files import write_tables
from diversity_judge.comparing.group_measures import GroupMeasures
from diversity_judge.comparing.tables import OutcomeRow, ProcessRow, Table
from diversity_judge.runs.loading import Run
from examples.miniature.processors import one_thread
from generation import children


@dataclass(frozen=True)
class Asked:
    """A comparison that is wanted.

    Attributes:
        name: Of its folder.
        load: Makes what is compared; goes to another process, so a `partial` of what a module holds.
        baseline: The strategy that the others are compared with.
        tier_strategy: As of `compare`.
        draws: Whether its figures are wanted.
    """

    name: str
    load: Callable[[], Run]
    baseline: str
    tier_strategy: str | None = None
    draws: bool = False


@dataclass(frozen=True, eq=False)
class Compared:
    """What a comparison found, as far as the page looks at it.

    Attributes:
        strategies: In order of appearance.
        groups: Everything measured, one a group.
        process: As in process.csv.
        outcomes: As in outcomes.csv.
    """

    strategies: tuple[str, ...]
    groups: tuple[GroupMeasures, ...]
    process: Table[ProcessRow]
    outcomes: Table[OutcomeRow]


def all_compared(folder: Path, asked: Sequence[Asked], *, processes: int) -> dict[str, Compared]:
    """Make comparisons and write each as the command `compare` leaves it, without the report.

    Args:
        folder: Where each has a folder.
        asked: Those wanted; what takes longest first.
        processes: How many are made at the same time.

    Returns:
        Name to what was found.
    """
    with one_thread(), children.pool(max(1, min(processes, len(asked)))) as pool:
        found = pool.map(partial(_compared, folder), asked)
        return {one.name: result for one, result in zip(asked, found, strict=True)}


def _compared(folder: Path, asked: Asked) -> Compared:
    found = compare([asked.load()], baseline=asked.baseline, tier_strategy=asked.tier_strategy)
    write_tables(folder / asked.name, found)
    if asked.draws:
        save_figures(found, folder / asked.name, heatmaps=False)
    return Compared(found.strategies, found.groups, found.process, found.outcomes)
