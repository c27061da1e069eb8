"""The tables at the top of the page: only rows and columns that have something to say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diversity_judge.comparing.outcome_table import TIERS, ties
from diversity_judge.comparing.process_metrics import ProcessMetric
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, DifferenceRow, OutcomeRow
from diversity_judge.display import counted
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number, p_value

_SHOWN_MASS = 0.005
"""A smaller clipped mass of a Vendi score would be shown as 0."""
_OUTCOMES = {
    "pass_rate": "pass rate",
    "pass_at_k": "pass@N",
    "majority": "majority vote",
    "best_of_n": "Best-of-N",
    "weighted_majority": "weighted majority",
}


@dataclass(frozen=True)
class Cell:
    """A value, and a small note below it; both may be empty."""

    text: str = ""
    note: str = ""


@dataclass(frozen=True)
class SummaryRow:
    """One row.

    Attributes:
        label: What it shows.
        cells: One a column.
        strategy: Number of the strategy that the row is of; None where the columns are the strategies.
        is_first: Whether it begins a new strategy or metric.
        second: A second label; empty where there is none.
    """

    label: str
    cells: tuple[Cell, ...]
    strategy: int | None = None
    is_first: bool = True
    second: str = ""


@dataclass(frozen=True)
class OutcomeTable:
    """Outcomes by strategy and tier.

    Attributes:
        columns: Their headings.
        rows: The rows.
    """

    columns: tuple[str, ...]
    rows: tuple[SummaryRow, ...]


def process_table(comparison: Comparison, *, is_detail: bool) -> list[SummaryRow]:
    """A row a metric and one for its differences to the baseline, a column a strategy.

    Args:
        comparison: What was found.
        is_detail: Whether the metrics of parts of the responses are wanted, or the others.
    """
    rows = []
    for metric in comparison.metrics:
        if not metric.is_shown or metric.is_detail != is_detail:
            continue
        cells = tuple(_level(comparison, metric, strategy) for strategy in comparison.strategies)
        if any(cell.text for cell in cells):
            rows.append(SummaryRow(metric.label, cells))
            rows += _difference_row(comparison, metric)
    return rows


def outcome_table(comparison: Comparison) -> OutcomeTable:
    """The outcomes that were measured."""
    metrics = [name for name in _OUTCOMES if comparison.outcomes.where(metric=name)]
    largest = {row.k for row in _largest(comparison.outcomes.where(metric="pass_at_k"))}
    names = dict(_OUTCOMES)
    if len(largest) == 1:
        names["pass_at_k"] = f"pass@{next(iter(largest))}"
    tied = ties(comparison.groups)
    rows = []
    for place, strategy in enumerate(comparison.strategies):
        for tier in TIERS:
            found = comparison.outcomes.where(strategy=strategy, tier=tier)
            if found:
                n = max(row.n_problems for row in found)
                matter = tied.get(strategy, {}) if tier == ALL_TIERS else {}
                cells = [_outcome(found, name, n, len(largest) > 1, matter.get(name, (0, 0))[1]) for name in metrics]
                label = printable(strategy, 60) if tier == ALL_TIERS else ""
                rows.append(SummaryRow(label, (Cell(str(n)), *cells), place, tier == ALL_TIERS, tier))
    return OutcomeTable(tuple(names[name] for name in metrics), tuple(rows))


def _level(comparison: Comparison, metric: ProcessMetric, strategy: str) -> Cell:
    rows = comparison.process.where(strategy=strategy, metric=metric.name)
    if not rows:
        return Cell()
    row = rows[0]
    notes = []
    usual = comparison.process.where(strategy=strategy, metric="diversity")
    if metric.name == "diversity" or (usual and usual[0].n_problems != row.n_problems):
        notes.append(counted(row.n_problems, "problem"))
    mass = comparison.process.where(strategy=strategy, metric="vendi_clipped_mass")
    if metric.name == "vendi" and mass and abs(mass[0].value) >= _SHOWN_MASS:
        notes.append(f"clipped {abs(mass[0].value):.2g}")
    return Cell(interval(row.value, row.ci_low, row.ci_high, _digits(metric), missing=""), ", ".join(notes))


def _difference_row(comparison: Comparison, metric: ProcessMetric) -> list[SummaryRow]:
    cells = []
    for strategy in comparison.strategies:
        rows: list[DifferenceRow] = comparison.differences.where(strategy=strategy, metric=metric.name)
        cells.append(_difference(rows[0], _digits(metric)) if rows else Cell())
    if not any(cell.text for cell in cells):
        return []
    return [SummaryRow(f"minus {printable(comparison.baseline, 60)}", tuple(cells), is_first=False)]


def _difference(row: DifferenceRow, digits: int) -> Cell:
    shown = interval(row.difference, row.ci_low, row.ci_high, digits, signed=True, missing="")
    noise = "" if math.isnan(row.judge_noise) else f", judge noise {number(row.judge_noise, 4)}"
    return Cell(shown, (row.verdict if math.isnan(row.p_holm) else f"{p_value(row.p_holm)} after Holm") + noise)


def _digits(metric: ProcessMetric) -> int:
    return 3 if metric.bounds else 2


def _outcome(rows: Sequence[OutcomeRow], metric: str, n: int, names_k: bool, tied: int) -> Cell:
    found = [row for row in rows if row.metric == metric]
    if not found:
        return Cell()
    row = found[-1]
    notes = [counted(row.n_problems, "problem")] if row.n_problems != n else []
    if metric == "pass_at_k" and names_k:
        notes.append(f"N = {row.k}")
    if tied:
        notes.append(f"{counted(tied, 'tie')} that matter{'s' if tied == 1 else ''}")
    return Cell(interval(row.value, row.ci_low, row.ci_high, missing=""), ", ".join(notes))


def _largest(rows: Iterable[OutcomeRow]) -> list[OutcomeRow]:
    """The row of the largest k of each strategy and tier."""
    largest: dict[tuple[str, str], OutcomeRow] = {}
    for row in rows:
        kept = largest.get((row.strategy, row.tier))
        if kept is None or row.k > kept.k:
            largest[row.strategy, row.tier] = row
    return list(largest.values())
