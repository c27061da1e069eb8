"""How results show themselves: a few lines in a terminal, a small table in a notebook.

Names and texts are strangers': they stand on one line, cut where they are long, and are escaped in HTML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from diversity_judge.text_safety import printable

NAME_LENGTH = 60
MOST_ROWS = 12
"""Rows that a result shows of itself; its tables hold all."""


def short(text: object, limit: int = NAME_LENGTH) -> str:
    """A name on one line, cut where it is long."""
    return printable(str(text), limit)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 group`, `2,000 groups`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def block(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Iterable[str] = ()) -> str:
    """A title, sentences, and rows in columns; of many rows the first ones.

    Args:
        title: What this is.
        columns: Heads of the columns.
        rows: Cells, one a column.
        notes: Sentences.
    """
    shown = [[short(cell) for cell in row] for row in ([columns] if rows else []) + [*rows[:MOST_ROWS]]]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in shown]
    if len(rows) > MOST_ROWS:
        table.append(f"... and {len(rows) - MOST_ROWS:,} more")
    return "\n".join([title, *(f"  {short(line, 300)}" for line in notes), *(f"  {line}" for line in table)])


def html_block(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Iterable[str] = ()) -> str:
    """The same for a notebook: a table under a title, sentences below it; everything is escaped.

    Args:
        title: What this is.
        columns: Heads of the columns.
        rows: Cells, one a column.
        notes: Sentences.
    """
    head = _row("th", columns)
    body = "".join(_row("td", row) for row in rows[:MOST_ROWS])
    more = [f"... and {len(rows) - MOST_ROWS:,} more"] if len(rows) > MOST_ROWS else []
    table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>" if rows else ""
    paragraphs = "".join(f"<p>{_escaped(note, 400)}</p>" for note in [*more, *notes])
    return f"<div><p><strong>{_escaped(title, 200)}</strong></p>{table}{paragraphs}</div>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{_escaped(cell, NAME_LENGTH)}</{tag}>" for cell in cells) + "</tr>"


def _escaped(text: str, limit: int) -> str:
    return html.escape(short(text, limit))
