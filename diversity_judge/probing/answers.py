r"""The same route with another final answer: the answer's marks are found by rules and what they hold is changed.

Known marks, from the surest to the least sure: the last `\boxed{...}`, a line `#### n`, `Answer("C")`, "the answer is
n" and "Answer: n", and the last `= n` at the very end of a text. Only the answer changes, not a step before it; where
the last mark's answer stands in several marks at the end (a box and a sentence), all of them change alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_MARKED = (
    re.compile(r"^[ \t]*####[ \t]*(?P<answer>[^\n]*\S)", re.MULTILINE),
    re.compile(r"\bAnswer\(\s*[\"'](?P<answer>[^\"'\n]+)[\"']\s*\)"),
    re.compile(
        r"\b(?:final\s+)?answer(?:\s+is\b|\s*[:=])\s*[*_:\s]*(?:\\\(|\$)?\s*(?P<answer>[^\s*_$\\.,;()]+(?:[.,]\d+)*)",
        re.IGNORECASE,
    ),
    re.compile(r"=\s*(?P<answer>-?\d+(?:[.,]\d+)*)(?=\W*\Z)"),
)
_WHOLE = re.compile(r"-?\d{1,15}")
_DECIMAL = re.compile(r"(?P<whole>-?\d{1,15})(?P<rest>[.,]\d+)")
_LETTER = re.compile(r"\(?(?P<letter>[A-Ea-e])\)?")
_EXPRESSION = re.compile(r"[\d\\^=+*/]|(?<![^\W\d_])[A-Za-z](?![^\W\d_])")
"""A number, a command of LaTeX, an operator or a letter that stands alone."""
_LINE = re.compile(r"^.*\S.*$", re.MULTILINE)
_LONGEST_CONCLUSION = 200
_STEP = 7
"""By how much a number changes: not one, which many a slip is, and not ten, which changes one digit only."""


def with_another_answer(text: str) -> str | None:
    """The text with its final answer changed, and nothing before it.

    Returns:
        None where no final answer can be found, or it is one of words.
    """
    found = _last_answer(text)
    if found is None:
        return None
    answer = text[slice(*found)]
    other = another(answer)
    if other is None:
        return None
    places = [place for place in _marked_answers(text) if text[slice(*place)] == answer and place[0] >= _tail(text)]
    for start, stop in sorted({*places, found}, reverse=True):
        text = text[:start] + other + text[stop:]
    return text


def another(answer: str) -> str | None:
    """An answer of the same kind that differs: 12 becomes 19, C becomes D, an expression gets `+ 7` behind it.

    Returns:
        None for an answer of words ("none of these"), of which no rule knows another one.
    """
    stripped = answer.strip()
    if _WHOLE.fullmatch(stripped):
        return str(int(stripped) + _STEP)
    if match := _DECIMAL.fullmatch(stripped):
        return f"{int(match['whole']) + _STEP}{match['rest']}"
    if match := _LETTER.fullmatch(stripped):
        letter = match["letter"]
        return stripped.replace(letter, chr(ord(letter) + 1) if letter not in "Ee" else chr(ord(letter) - 1))
    return f"{stripped} + {_STEP}" if _EXPRESSION.search(stripped) else None


def _tail(text: str) -> int:
    """Where the end of a text begins, in which a conclusion repeats its answer: its last two lines, if short."""
    starts = [match.start() for match in _LINE.finditer(text)]
    return max(starts[-2] if len(starts) > 1 else 0, len(text) - _LONGEST_CONCLUSION)


def _last_answer(text: str) -> tuple[int, int] | None:
    """Where the answer in the surest kind of mark stands for the last time."""
    boxes = list(_boxes(text))
    if boxes:
        return boxes[-1]
    for pattern in _MARKED:
        matches = [match.span("answer") for match in pattern.finditer(text)]
        if matches:
            return matches[-1]
    return None


def _marked_answers(text: str) -> Iterator[tuple[int, int]]:
    yield from _boxes(text)
    for pattern in _MARKED:
        yield from (match.span("answer") for match in pattern.finditer(text))


def _boxes(text: str) -> Iterator[tuple[int, int]]:
    """What stands inside each box, its braces balanced; an empty or open box is none."""
    for match in _BOXED.finditer(text):
        depth, start = 1, match.end()
        for place in range(start, len(text)):
            depth += (text[place] == "{") - (text[place] == "}")
            if depth == 0:
                if text[start:place].strip():
                    yield start, place
                break
