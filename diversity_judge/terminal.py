"""Tables for a terminal of any width: nothing cut in a number, nothing folded letter by letter.

Columns that say nothing are left out, long names are shortened in the middle, and what does not fit beside the others
goes into a further table below, with the names repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from diversity_judge.text_safety import ELLIPSIS, printable

GAP = 3
"""Blanks between two columns."""
SHORTEST_NAME = 8
"""A name is not shortened below this: what cannot be told apart is no name."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        head: Its heading.
        cells: One a row.
        is_name: Whether it names the row: to the left, shortened where there is no room, repeated in further tables.
    """

    head: str
    cells: Sequence[str]
    is_name: bool = False

    @property
    def width(self) -> int:
        """Letters of its widest cell."""
        return max(map(len, (self.head, *self.cells)))

    @property
    def is_empty(self) -> bool:
        """Whether no cell says anything."""
        return not any(self.cells)


def print_table(console: Console, title: str, facts: Sequence[str], columns: Sequence[Column]) -> None:
    """Print a table, as several below each other where the console is too narrow for one.

    Args:
        console: Where to; its width decides.
        title: What it shows.
        facts: Further lines below the title.
        columns: Those that name the rows first.
    """
    names = [column for column in columns if column.is_name]
    values = [column for column in columns if not column.is_name and not column.is_empty]
    console.print(Text(title, style="bold"))
    for fact in facts:
        console.print(Text(printable(fact)))
    # Names give way to the widest value, so that each table below holds at least one.
    widest = max((column.width for column in values), default=0)
    names = _shortened(names, console.width - widest - GAP * len(names))
    for part in _parts(values, console.width - sum(column.width + GAP for column in names)):
        console.print(_table([*names, *part]))


def shorten_middle(text: str, limit: int) -> str:
    """A text of at most so many letters, its beginning and its end kept: ids differ at their ends."""
    if len(text) <= limit:
        return text
    kept = limit - len(ELLIPSIS)
    return text[: kept // 2] + ELLIPSIS + text[len(text) - (kept - kept // 2) :]


def _shortened(names: Sequence[Column], room: int) -> list[Column]:
    """The names in so many letters together, the longest column giving way first."""
    widths = [column.width for column in names]
    while sum(widths) > room and max(widths, default=0) > SHORTEST_NAME:
        widths[widths.index(max(widths))] -= 1
    return [
        Column(shorten_middle(column.head, width), [shorten_middle(cell, width) for cell in column.cells], is_name=True)
        for column, width in zip(names, widths, strict=True)
    ]


def _parts(columns: Sequence[Column], room: int) -> Iterator[list[Column]]:
    """The columns in parts that fit, as many as possible in each; one that is too wide alone stands alone."""
    part: list[Column] = []
    left = room
    for column in columns:
        if part and column.width > left:
            yield part
            part, left = [], room
        part.append(column)
        left -= column.width + GAP
    yield part


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, GAP - 1, 0, 0))
    for column in columns:
        table.add_column(Text(column.head), justify="left" if column.is_name else "right", no_wrap=True)
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*(Text(cell) for cell in cells))
    return table
