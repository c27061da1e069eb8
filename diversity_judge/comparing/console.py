"""What a person reads on the console: the main table, the sentences, what was left out, and where everything is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diversity_judge.comparing.outcome_table import ties
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, OutcomeRow, ProcessRow
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number

_NAME_WIDTH = 40
_MOST_NOTES = 20
_NOTE_LENGTH = 300
"""The whole note stands in compare.json and in the report."""


def print_comparison(console: Console, comparison: Comparison, written: Sequence[Path]) -> None:
    """Everything, in the order in which one wants to know it.

    Args:
        console: Where to.
        comparison: What was found.
        written: What was written, the most interesting last.
    """
    if comparison.process:
        console.print(_process_table(comparison))
    if comparison.outcomes:
        console.print(_outcome_table(comparison))
    for sentence in comparison.sentences:
        console.print(Text(f"• {printable(sentence)}"))
    for note in comparison.notes[:_MOST_NOTES]:
        console.print(Text(f"note: {printable(note, _NOTE_LENGTH)}", style="yellow"))
    if len(comparison.notes) > _MOST_NOTES:
        console.print(f"... and {len(comparison.notes) - _MOST_NOTES} more notes in compare.json")
    for path in written:
        console.print(Text(printable(f"wrote {path}")))


def _process_table(comparison: Comparison) -> Table:
    table = Table(title=_title("Process diversity a strategy", comparison), title_justify="left", title_style="")
    metrics = [m for m in comparison.metrics if m.is_compared and comparison.process.where(metric=m.name)]
    has_differences = bool(comparison.differences.where(metric="diversity"))
    table.add_column("strategy", overflow="fold")
    table.add_column("problems", justify="right")
    for metric in metrics:
        table.add_column(metric.name.replace("_", " "), justify="right")
    if has_differences:
        table.add_column(f"diversity - {printable(comparison.baseline, _NAME_WIDTH)}", justify="right")
        table.add_column("p (Holm)", justify="right")
    for strategy in comparison.strategies:
        n_problems = _problems(comparison.process.where(strategy=strategy, metric="diversity"))
        cells = [_process_cell(comparison, strategy, metric.name, n_problems) for metric in metrics]
        cells += _difference_cells(comparison, strategy) if has_differences else []
        table.add_row(_name(strategy), str(n_problems), *cells)
    return table


def _problems(rows: Sequence[ProcessRow] | Sequence[OutcomeRow]) -> int:
    return rows[0].n_problems if rows else 0


def _cell(row: ProcessRow | OutcomeRow, n_problems: int) -> str:
    """A value and its interval, with its number of problems where that is not the line's."""
    other = f" (n = {row.n_problems})" if row.n_problems != n_problems else ""
    return interval(row.value, row.ci_low, row.ci_high) + other


def _process_cell(comparison: Comparison, strategy: str, metric: str, n_problems: int) -> str:
    rows = comparison.process.where(strategy=strategy, metric=metric)
    return _cell(rows[0], n_problems) if rows else ""


def _difference_cells(comparison: Comparison, strategy: str) -> list[str]:
    rows = comparison.differences.where(strategy=strategy, metric="diversity")
    if not rows:
        return ["baseline" if strategy == comparison.baseline else "", ""]
    row = rows[0]
    shown = interval(row.difference, row.ci_low, row.ci_high, signed=True)
    return [shown, number(row.p_holm, missing=row.verdict)]


def _outcome_table(comparison: Comparison) -> Table:
    header = "Outcomes (means over problems; tie: problems where the first place is shared and it matters)"
    table = Table(title=Text(header, style="bold"), title_justify="left", title_style="")
    table.add_column("strategy", overflow="fold")
    table.add_column("tier")
    table.add_column("problems", justify="right")
    columns = _outcome_columns(comparison)
    for metric, k in columns:
        table.add_column(f"pass@{k}" if metric == "pass_at_k" else metric.replace("_", " "), justify="right")
    tied = ties(comparison.groups)
    for strategy in comparison.strategies:
        rows = comparison.outcomes.where(strategy=strategy)
        for tier in dict.fromkeys(row.tier for row in rows):
            members = [row for row in rows if row.tier == tier]
            n_problems = _problems([row for row in members if row.metric == "pass_rate"] or members)
            cells = [_outcome_cell(members, metric, k, n_problems) for metric, k in columns]
            if tier == ALL_TIERS:
                cells = [
                    _with_ties(cell, tied.get(strategy, {}).get(metric, (0, 0))[1])
                    for cell, (metric, _) in zip(cells, columns, strict=True)
                ]
            table.add_row(_name(strategy) if tier == ALL_TIERS else "", tier, str(n_problems), *cells)
    return table


def _outcome_columns(comparison: Comparison) -> list[tuple[str, int | None]]:
    """The pass rate and the largest pass@k that all have, then the choices."""
    rows = comparison.outcomes.where(tier=ALL_TIERS)
    sizes = [{row.k for row in rows if (row.strategy, row.metric) == (s, "pass_at_k")} for s in comparison.strategies]
    common = set.intersection(*(found for found in sizes if found)) if any(sizes) else set()
    curve: list[tuple[str, int | None]] = [("pass_at_k", max(common))] if common and max(common) > 1 else []
    others = dict.fromkeys(row.metric for row in rows if row.metric not in ("pass_at_k", "pass_rate"))
    return [("pass_rate", None), *curve, *((metric, None) for metric in others)]


def _outcome_cell(rows: Sequence[OutcomeRow], metric: str, k: int | None, n_problems: int) -> str:
    for row in rows:
        if row.metric == metric and k in (None, row.k):
            return _cell(row, n_problems)
    return ""


def _with_ties(cell: str, n_mattering: int) -> str:
    return f"{cell}, {n_mattering} tie{'s' if n_mattering > 1 else ''}" if cell and n_mattering else cell


def _title(title: str, comparison: Comparison) -> Text:
    judges = "; ".join(comparison.judges) or "none: responses alone"
    thresholds = comparison.options.thresholds
    return Text.assemble(
        (f"{title} (means over problems, 95 % intervals)", "bold"),
        "\n",
        printable(f"judge: {judges}"),
        "\n",
        f"approaches: joined at {thresholds.approach:g}; other route: up to {thresholds.other_route:g}",
    )


def _name(text: str) -> Text:
    return Text(printable(text, limit=_NAME_WIDTH))
