"""What a person reads on the console: where the sheet is and what to do with it, and who answered how."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.text import Text

from diversity_judge.display import counted
from diversity_judge.labelling.result import LabelsRead, cells
from diversity_judge.labelling.sheet import Sheet
from diversity_judge.terminal import Column, print_table
from diversity_judge.text_safety import printable


def print_sheet(console: Console, sheet: Sheet, page: Path, key: Path, wanted: int) -> None:
    """Where the sheet is, and how it comes back.

    Args:
        console: Where to.
        sheet: What was made.
        page: Where it is.
        key: Where its key is.
        wanted: Pairs that were asked for.
    """
    n_controls = len(sheet.items) - sheet.n_pairs
    pairs, controls = counted(sheet.n_pairs, "pair"), counted(n_controls, "control")
    console.print(Text(f"sheet {sheet.name}: {pairs} and {controls}", style="bold"))
    if sheet.n_pairs < wanted:
        console.print(Text(f"note: the run has no more than {pairs} that can be labelled", style="yellow"))
    quoted = shlex.quote(str(key))
    for line in (
        f"give {page} to each person; it works offline, and saves a CSV",
        f"keep {key}: it says which pair is which, so nobody who labels should see it",
        f"then: python -m diversity_judge.labels read FILE... --key {quoted}",
    ):
        console.print(Text(printable(line)))


def print_labels(console: Console, found: LabelsRead, run: str) -> None:
    """Who answered how, what is odd about it, and what comes next."""
    heads = ("annotator", "pairs", "mean score", "identical texts", "other problems")
    columns = zip(*map(cells, found.people), strict=True)
    print_table(
        console,
        f"Labels of sheet {found.key.sheet}",
        ("mean scores; identical texts should get 5, responses to other problems 0",),
        [
            Column(head, list(column), is_name=n == 0)
            for n, (head, column) in enumerate(zip(heads, columns, strict=True))
        ],
    )
    for note in found.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    if found.path is not None:
        path = shlex.quote(str(found.path))
        console.print(Text(printable(f"wrote {found.path}")))
        console.print(Text(printable(f"next: python -m diversity_judge.agree {shlex.quote(run)} --labels {path}")))
