"""What a person reads: the bill of the probes, their findings, and in sentences what to do about them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diversity_judge.display import counted
from diversity_judge.engine.advice import advice
from diversity_judge.engine.bill import cost_in_words
from diversity_judge.engine.tally import Ending
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.measures.probes.findings import Finding, Verdict
from diversity_judge.probing.buying import Purchase
from diversity_judge.probing.names import STRATEGY
from diversity_judge.probing.result import Reliability
from diversity_judge.probing.sentences import sentences
from diversity_judge.terminal import Column, print_table, shorten_middle
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval

_NAME_WIDTH = 25
_SHORT = {Verdict.INSIDE: "inside", Verdict.OUTSIDE: "outside", Verdict.TOO_FEW: "too few"}
"""Verdicts where there is no room for more."""


def print_bill(console: Console, purchase: Purchase, spec: JudgeSpec) -> None:
    """What will be asked for which probe, and what it will likely cost."""
    bill = purchase.workload.bill
    known = f" ({bill.reused:,} found in the ledger)" if bill.reused else ""
    rows = [("judge", spec.label), ("prompt", purchase.judge.prompt_label)]
    rows += [("judgments", f"{bill.judgments:,} wanted{known}"), ("calls", f"{bill.calls:,}")]
    calls: dict[str, int] = {}
    for request, count in zip(purchase.requests, purchase.calls, strict=True):
        calls[request.probe] = calls.get(request.probe, 0) + count
    rows += [("", f"{count:,} for {probe}") for probe, count in calls.items() if count]
    if not spec.is_embedded:
        tokens = f"about {bill.input_tokens:,} in, {bill.output_tokens:,} out"
        rows.append(("tokens", f"{tokens} (estimated; {spec.typical_output_tokens:,} a reply)"))
        rows.append(("cost", cost_in_words(bill, spec)))
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(printable(value)))
    console.print(table)


def print_reliability(console: Console, found: Reliability, written: Sequence[Path]) -> None:
    """Everything, in the order in which one wants to know it.

    Args:
        console: Where to.
        found: What the probes found.
        written: What was written.
    """
    if console.quiet:
        return
    facts = (f"judge: {found.judge}", "95 % intervals; the problem is the cluster")
    print_table(console, f"Reliability: {counted(len(found.drawn), 'pair')} probed", facts, _columns(found.findings))
    for sentence in sentences(found):
        console.print(Text(printable(f"• {sentence}", 1000)))
    for note in found.notes:
        console.print(Text(printable(f"note: {note}", 1000), style="yellow"))
    _print_missing(console, found)
    tally = found.tally
    cost = f"{tally.cost_usd:,.4f} USD" if found.source.spec.prices is not None else "cost unknown"
    console.print(Text(f"{counted(tally.calls, 'call')}, {cost} in this run"))
    for path in written:
        console.print(Text(printable(f"wrote {path}", 1000)))


def print_failure(found: Reliability) -> None:
    """Say on standard error why it failed, where nothing else is printed."""
    if found.tally.ending is Ending.FAILED:
        Console(stderr=True, soft_wrap=True).print(Text(printable(f"error: {found.tally.message}")))


def _print_missing(console: Console, found: Reliability) -> None:
    missing = found.missing
    if missing:
        console.print(Text(f"{sum(missing.values()):,} judgment(s) have no score:", style="bold"))
        for line in advice(dict(missing.most_common()), is_embedded=found.source.spec.is_embedded):
            console.print(Text(printable(f"  {line}")))
    if found.tally.message:
        console.print(Text(printable(f"stopped: {found.tally.message}"), style="bold"))


def _columns(findings: Sequence[Finding]) -> tuple[Column, ...]:
    """The figures that a verdict stands beside, in 80 columns; the others, and their n, are in reliability.csv."""
    shown = list(_judged(findings))
    return (
        Column("probe", [found.probe for found in shown], is_name=True),
        Column("metric", [_metric(found) for found in shown], is_name=True),
        Column("value", [_value(found) for found in shown]),
        Column("verdict", [_verdict(found) for found in shown]),
    )


def _judged(findings: Sequence[Finding]) -> Iterator[Finding]:
    shown = (found for found in findings if found.verdict is not None)
    return (f for f in shown if f.strategy is None or (f.probe == STRATEGY and f.verdict is Verdict.OUTSIDE))


def _metric(found: Finding) -> str:
    name = found.metric if found.strategy is None else f"{found.metric}, {printable(found.strategy)}"
    return shorten_middle(name, _NAME_WIDTH)


def _value(found: Finding) -> str:
    value = interval(found.value, found.ci_low, found.ci_high, 2)
    return value.split(" [")[0] if found.ci_low == found.ci_high and not math.isnan(found.value) else value


def _verdict(found: Finding) -> str:
    return "" if found.verdict is None else _SHORT[found.verdict]
