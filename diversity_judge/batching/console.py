"""What a person reads: what was exported, how the batches stand, what came back, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diversity_judge.batching.exporting import Exported
from diversity_judge.batching.ingesting import IngestCounts
from diversity_judge.display import counted
from diversity_judge.engine.bill import Bill
from diversity_judge.runs.batches import BatchFile
from diversity_judge.text_safety import printable


def print_exported(console: Console, found: Exported, run: Path) -> None:
    """The files, what they will cost, and both ways on."""
    for warning in found.warnings:
        console.print(Text(f"warning: {printable(warning)}", style="yellow"))
    _print_facts(
        console,
        [
            ("judge", found.judge.label),
            ("prompt", found.prompt),
            ("pairs", f"{found.bill.pairs:,}"),
            ("judgments", f"{found.bill.judgments:,} wanted, {found.bill.reused:,} in the ledger already"),
            *([("sortings", f"{found.bill.sortings:,} wanted, one a group")] if found.bill.sortings else []),
            *([("summaries", _summaries(found.bill))] if found.bill.summaries else []),
            ("calls", _calls(found)),
            ("cost", _cost(found)),
        ],
    )
    for name in found.replaced:
        _say(console, f"{name} was exported before and given to nobody: replaced")
    if not found.files:
        _say(console, "nothing to export: every wanted call is answered or on its way")
        return
    for file in found.files:
        path = found.folder / file.name
        _say(console, f"{path}: {counted(file.n_requests, 'call')}, {path.stat().st_size / 1e6:,.1f} MB")
    where = shlex.quote(str(run))
    if found.judge.terms.is_called:
        _say(console, f"next: python -m diversity_judge.batch submit {where}")
    first = shlex.quote(str(found.folder / found.files[0].name))
    _say(console, f"or on your own machines: vllm run-batch -i {first} -o results.jsonl --model {found.judge.model}")
    _say(console, f"then: python -m diversity_judge.batch ingest results.jsonl --out {where}")
    if found.bill.without_summary:
        _say(
            console,
            f"{found.bill.without_summary:,} judgments wait for summaries: when these are in the ledger, the same "
            "export again writes the pairs",
        )


def print_file(console: Console, file: BatchFile) -> None:
    """How one batch stands."""
    said = f", the host says: {file.said}" if file.said else ""
    _say(console, f"{file.name}: {counted(file.n_requests, 'call')}, batch {file.batch_id}{said}")


def print_ingested(console: Console, source: Sequence[Path], counts: IngestCounts, run: Path) -> None:
    """What came of the lines, and what is missing."""
    names = ", ".join(str(path) for path in source)
    cost = f", {counts.cost_usd:,.4f} USD" if counts.cost_usd else ""
    _say(
        console, f"{names}: {counted(counts.lines, 'line')}; {counted(counts.stored, 'new reply', 'new replies')}{cost}"
    )
    if counts.already_there:
        _say(console, f"{counts.already_there:,} were in the ledger already")
    if counts.without_score:
        _say(console, f"{counts.without_score:,} of the new replies hold no score; `score` says why")
    for reason, n in counts.failed.most_common():
        _say(console, f"{counted(n, 'call')} failed: {reason}")
    if counts.unknown:
        _say(console, f"{counts.unknown:,} lines belong to no call that was exported into {run}, and were left out")
    for bad in counts.bad:
        _say(console, f"{bad.where}: is no result ({bad.what})")
    if counts.n_bad > len(counts.bad):
        _say(console, f"and {counts.n_bad - len(counts.bad):,} more such lines")


def print_next(console: Console, run: Path, n_waiting: int, *, has_summaries: bool = False) -> None:
    """What to type now; after summaries the pairs of them."""
    where = shlex.quote(str(run))
    if n_waiting:
        _say(
            console,
            f"{counted(n_waiting, 'batch', 'batches')} not ready: python -m diversity_judge.batch fetch {where}",
        )
        return
    if has_summaries:
        _say(console, "the pairs of these summaries are written by the same batch export again")
        _say(
            console,
            f"or: python -m diversity_judge.score RESPONSES ... --out {where} (it buys the pairs by live calls)",
        )
    else:
        _say(console, f"next: python -m diversity_judge.score RESPONSES ... --out {where} (it buys what is missing)")


def _summaries(bill: Bill) -> str:
    return f"{bill.summaries:,} wanted, one a response, {bill.summaries_reused:,} in the ledger already"


def _calls(found: Exported) -> str:
    left_out = f" ({found.n_on_their_way:,} more are on their way)" if found.n_on_their_way else ""
    return f"{found.n_calls:,} in {counted(len(found.files), 'file')}{left_out}"


def _cost(found: Exported) -> str:
    share = found.judge.terms.price_share
    of_live = "" if share == 1 else f", {share:.0%} of the price of live calls"
    if found.cost_usd is None:
        return f"unknown: no prices for this judge{of_live}"
    return f"about {found.cost_usd:,.2f} USD{of_live}"


def _print_facts(console: Console, rows: Sequence[tuple[str, str]]) -> None:
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(printable(value)))
    console.print(table)


def _say(console: Console, sentence: str) -> None:
    console.print(Text(printable(sentence)))
