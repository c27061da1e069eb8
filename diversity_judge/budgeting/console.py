"""What a person reads on the console: the choices, the recommended one, what it all stands on, and what to do next."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from diversity_judge.budgeting.result import COLUMNS, Plan
from diversity_judge.terminal import Column, print_table
from diversity_judge.text_safety import printable


def print_plan(console: Console, plan: Plan) -> None:
    """Everything, in the order in which one wants to know it."""
    cells = list(zip(*plan.rows(), strict=True))
    columns = [Column(head, list(column), is_name=not head) for head, column in zip(COLUMNS, cells, strict=True)]
    print_table(console, plan.title, plan.facts, columns)
    console.print(Text(printable(f"> {plan.verdict}"), style="bold"))
    for note in plan.notes:
        console.print(Text(printable(f"note: {note}"), style="yellow"))
    for offer in plan.alternatives:
        console.print(Text(printable(f"alternative: {offer.sentence}"), style="yellow"))
        for number, command in enumerate(offer.commands, start=1):
            console.print(Text(printable(f"  {number}. {command}")))
    for step in plan.next_steps:
        console.print(Text(printable(step)))
