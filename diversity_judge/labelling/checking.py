"""Answers held against the key of their sheet: all that is wrong is named with file and line, nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.inputs.opening import opened
from diversity_judge.inputs.rows import Placed, placed_rows
from diversity_judge.labelling.key import Key
from diversity_judge.rubric import MAX_SCORE, SCORES
from diversity_judge.text_safety import printable

_MOST_NAMED = 20
_NAME = 40
"""Letters of a name that a message shows."""
_PARTIAL = "answer the rest, or take what is there with --partial"


@dataclass(frozen=True)
class Answer:
    """What one person said of one item.

    Attributes:
        place: Where it stands.
        item: The item's name.
        annotator: Who said it.
        score: 0..5.
    """

    place: str
    item: str
    annotator: str
    score: int


def read_answers(files: Sequence[Path], key: Key, *, partial: bool) -> list[Answer]:
    """Read what came back of a sheet.

    Args:
        files: One or several, of one or several people.
        key: Of the sheet.
        partial: Take sheets that are not filled to the end.

    Raises:
        InputError: something is wrong with one of them; the message names all of it, with file and line.
    """
    checker = _Checker(key, partial=partial)
    for path in files:
        with opened(path) as file:
            checker.add(file.shown, list(placed_rows(file)))
    if checker.faults:
        more = len(checker.faults) - _MOST_NAMED
        shown = [*checker.faults[:_MOST_NAMED], *([f"... and {more:,} more"] if more > 0 else [])]
        raise InputError("\n".join(shown))
    return checker.answers


class _Checker:
    """Gathers answers and faults over several files."""

    def __init__(self, key: Key, *, partial: bool) -> None:
        self._key = key
        self._partial = partial
        self._places: dict[tuple[str, str], str] = {}
        self.answers: list[Answer] = []
        self.faults: list[str] = []

    def add(self, shown: str, rows: Sequence[Placed]) -> None:
        """Add the rows of one file."""
        if not rows:
            self.faults.append(f"{shown}: holds no answer; save the sheet again")
        open_items: list[str] = []
        seen: dict[str, set[str]] = {}
        for place, line in rows:
            if line.error is not None or not isinstance(line.value, dict):
                self.faults.append(f"{place}: {line.error or 'is no row of a label sheet'}")
            elif (fault := self._fault(line.value)) is not None:
                self.faults.append(f"{place}: {fault}")
                seen.setdefault(str(line.value.get("annotator")), set()).add(str(line.value.get("item")))
            else:
                item, annotator = str(line.value["item"]), str(line.value["annotator"])
                seen.setdefault(annotator, set()).add(item)
                if line.value.get("score") is None:
                    open_items.append(f"{place}: item {item} has no score")
                else:
                    self._take(Answer(place, item, annotator, int(str(line.value["score"]))))
        if not self._partial:
            self.faults += self._half_filled(shown, open_items, seen)

    def _fault(self, row: Mapping[str, Any]) -> str | None:
        """What is wrong with a row, None where nothing is."""
        sheet, item, annotator = (row.get(name) for name in ("sheet", "item", "annotator"))
        if sheet is None and any(";" in name for name in row):
            return "its columns are parted by semicolons; save it with commas between them"
        if sheet != self._key.sheet:
            told = "names no sheet" if sheet is None else f"is of the sheet {printable(str(sheet), _NAME)}"
            return f"{told}, and {self._key.path} is the key of the sheet {self._key.sheet}"
        if str(item) not in self._key.items:
            return f"the sheet has no item {printable(repr(item), _NAME)}"
        if annotator is None:
            return "names nobody in annotator; write who answered"
        score = row.get("score")
        if score is not None and str(score) not in map(str, SCORES):
            return f"the score is {printable(repr(score), _NAME)}; it is a whole number from 0 to {MAX_SCORE}"
        return None

    def _take(self, answer: Answer) -> None:
        asked = (answer.annotator, answer.item)
        if asked in self._places:
            who, earlier = printable(answer.annotator, _NAME), self._places[asked]
            self.faults.append(f"{answer.place}: {who} has answered item {answer.item} already, in {earlier}")
        else:
            self._places[asked] = answer.place
            self.answers.append(answer)

    def _half_filled(self, shown: str, open_items: Sequence[str], seen: Mapping[str, set[str]]) -> Iterator[str]:
        total = len(self._key.items)
        if open_items:
            yield f"{open_items[0]}, as {len(open_items)} of the {total} items here; {_PARTIAL}"
        for annotator, items in seen.items():
            lacking = [name for name in self._key.items if name not in items]
            if lacking:
                who = printable(annotator, _NAME)
                yield f"{shown}: has no {len(lacking)} of the {total} items of {who}, first {lacking[0]}; {_PARTIAL}"
