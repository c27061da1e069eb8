"""What a person reads on the console: who judged, how they agree, what is theirs of the variance, and what is next."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.text import Text

from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.judge_variance import COMPONENTS
from diversity_judge.pooling.result import Panel
from diversity_judge.terminal import Column, print_table
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number, percent

_NAME_WIDTH = 40
_POOLED = "all together"


def print_panel(console: Console, panel: Panel, folder: Path) -> None:
    """Everything, in the order in which one wants to know it."""
    facts = [f"{name}: {run.judge}; prompt: {run.prompt}" for name, run in zip(panel.names, panel.members, strict=True)]
    pairs = panel.pooled.pairs
    columns = (
        Column("one", [pair.one for pair in pairs], is_name=True),
        Column("other", [pair.other for pair in pairs], is_name=True),
        Column("pairs", [f"{pair.n:,}" for pair in pairs]),
        Column("equal", [_shown(pair.exact) for pair in pairs]),
        Column("within 1", [number(pair.within_one.value) for pair in pairs]),
        Column("kappa", [_shown(pair.kappa) for pair in pairs]),
        Column("bias", [number(pair.bias.value, 2, signed=True) for pair in pairs]),
    )
    alpha = f"Krippendorff's alpha of all: {_shown(panel.pooled.alpha)}; 95 % intervals over problems"
    print_table(console, f"A panel of {len(panel.names)} judges", (*facts, alpha), columns)
    _print_strategies(console, panel)
    console.print(Text(f"• {panel.sentence}"))
    for note in panel.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    console.print(Text(printable(f"wrote {folder}, a run folder of the mean")))
    console.print(Text(printable(f"next: python -m diversity_judge.compare {shlex.quote(str(folder))}")))


def _print_strategies(console: Console, panel: Panel) -> None:
    rows = panel.rows
    names = [_POOLED if row.strategy is None else printable(row.strategy, limit=_NAME_WIDTH) for row in rows]
    columns = [Column("strategy", names, is_name=True)]
    columns += [Column(name, [_shown(row.diversities[at]) for row in rows]) for at, name in enumerate(panel.names)]
    columns += [Column("alpha", [number(row.alpha.value) for row in rows])]
    columns += [Column(f"{name} %", [percent(row.variance.share(name)) for row in rows]) for name in COMPONENTS]
    print_table(console, "Diversity by each judge, and shares of the variance of a score", (), columns)


def _shown(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)
