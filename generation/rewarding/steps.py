"""The steps of a response, and texts in which no special token of a model is taken for one."""

from __future__ import annotations

import re
from collections.abc import Iterable

_BETWEEN = {
    "blank-line": re.compile(r"\r?\n[^\S\n]*\r?\n\s*"),
    "line": re.compile(r"\n"),
}


def split_steps(text: str, between: str) -> tuple[str, ...]:
    """The steps of a text, without blanks around them; none where there is nothing but blanks.

    Args:
        text: Of a response.
        between: `blank-line`, `line`, or the text that stands between two steps.
    """
    pattern = _BETWEEN.get(between)
    parts = text.split(between) if pattern is None else pattern.split(text)
    return tuple(step for part in parts if (step := part.strip()))


class Defuser:
    """Makes the special tokens of a model, where a text spells them out, ordinary text: `<extra_0>` -> `< extra_0>`.

    A model's tokenizer does not tell a mark that we set from one that a response has written.

    Args:
        tokens: All special tokens, and marks.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        longest_first = sorted({token for token in tokens if token.strip()}, key=len, reverse=True)
        self._tokens = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> tuple[str, int]:
        """The text without special tokens, and how many there were."""
        return (text, 0) if self._tokens is None else self._tokens.subn(_split, text)


def _split(match: re.Match[str]) -> str:
    token = match[0]
    return f"{token[0]} {token[1:]}" if len(token) > 1 else " "
