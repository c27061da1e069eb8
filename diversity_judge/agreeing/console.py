"""What a person reads on the console: who was held against whom, the table, the sentence, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diversity_judge.agreeing.result import JudgeAgreement
from diversity_judge.measures.agreement import Agreement
from diversity_judge.measures.intervals import Estimate
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number

_NAME_WIDTH = 40
_POOLED = "all together"


def print_agreement(console: Console, found: JudgeAgreement, written: Sequence[Path]) -> None:
    """Everything, in the order in which one wants to know it.

    Args:
        console: Where to.
        found: The agreement.
        written: What was written.
    """
    console.print(_table(found))
    console.print(Text(f"• {found.sentence}"))
    for note in found.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    for path in written:
        console.print(Text(printable(f"wrote {path}")))


def _table(found: JudgeAgreement) -> Table:
    header = Text.assemble(
        ("Agreement of two judges (bias: tested minus reference; 95 % intervals over problems)", "bold"),
        "\n",
        printable(f"tested: {found.tested.judge}; prompt: {found.tested.prompt}"),
        "\n",
        printable(f"reference: {found.reference.judge}; prompt: {found.reference.prompt}"),
    )
    table = Table(title=header, title_justify="left", title_style="")
    table.add_column("strategy", overflow="fold")
    columns = ("problems", "pairs", "equal", "kappa", "Spearman", "Kendall", "abs. error", "score bias")
    for column in (*columns, "diversity bias", "rank of D"):
        table.add_column(column, justify="right")
    for row in found.rows:
        name = _POOLED if row.strategy is None else printable(row.strategy, limit=_NAME_WIDTH)
        table.add_row(Text(name, style="bold" if row.strategy is None else ""), *_cells(row))
    return table


def _cells(row: Agreement) -> tuple[str, ...]:
    return (
        str(row.n_problems),
        f"{row.n_pairs:,}",
        number(row.exact),
        _with_interval(row.kappa),
        _with_interval(row.spearman),
        number(row.kendall),
        number(row.mean_absolute_error),
        number(row.score_bias, signed=True),
        _with_interval(row.diversity_bias, signed=True),
        number(row.diversity_spearman),
    )


def _with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    return interval(estimate.value, estimate.low, estimate.high, signed=signed)
