"""What a person reads on the console: who was held against whom, the table, the sentence, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from diversity_judge.agreeing.result import JudgeAgreement
from diversity_judge.measures.agreement import Agreement
from diversity_judge.measures.intervals import Estimate
from diversity_judge.terminal import Column, print_table
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
    facts = (
        f"tested: {found.tested.judge}; prompt: {found.tested.prompt}",
        f"reference: {found.reference.judge}; prompt: {found.reference.prompt}",
        "bias: tested minus reference; 95 % intervals over problems",
    )
    print_table(console, "Agreement of two judges", facts, agreement_columns(found.rows))
    print_ending(console, [found.sentence], found.notes, written)


def print_ending(console: Console, sentences: Sequence[str], notes: Sequence[str], written: Sequence[Path]) -> None:
    """What it comes to, what is to be kept in mind, and where everything is."""
    for sentence in sentences:
        console.print(Text(f"• {sentence}"))
    for note in notes:
        console.print(Text(f"note: {note}", style="yellow"))
    for path in written:
        console.print(Text(printable(f"wrote {path}")))


def agreement_columns(rows: Sequence[Agreement]) -> tuple[Column, ...]:
    """The table of an agreement: one row a strategy, and last all together."""
    names = [_POOLED if row.strategy is None else printable(row.strategy, limit=_NAME_WIDTH) for row in rows]
    return (
        Column("strategy", names, is_name=True),
        Column("problems", [str(row.n_problems) for row in rows]),
        Column("pairs", [f"{row.n_pairs:,}" for row in rows]),
        Column("diversity bias", [_with_interval(row.diversity_bias, signed=True) for row in rows]),
        Column("kappa", [_with_interval(row.kappa) for row in rows]),
        Column("Spearman", [_with_interval(row.spearman) for row in rows]),
        Column("equal", [number(row.exact) for row in rows]),
        Column("Kendall", [number(row.kendall) for row in rows]),
        Column("abs. error", [number(row.mean_absolute_error) for row in rows]),
        Column("score bias", [number(row.score_bias, signed=True) for row in rows]),
        Column("rank of D", [number(row.diversity_spearman) for row in rows]),
    )


def _with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    return interval(estimate.value, estimate.low, estimate.high, signed=signed)
