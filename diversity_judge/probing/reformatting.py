"""The same text in another form, by rules: white space, list marks and LaTeX delimiters change, no word does.

A judge of reasoning must not see the difference, so the pair of a text and its other form has a known answer. Code
between fences stays as it is, because there white space is meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_FENCED = re.compile(r"(^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\2[^\n]*$|\Z))", re.MULTILINE | re.DOTALL)

_DISPLAY_BRACKETS = re.compile(r"\\\[(.+?)\\\]", re.DOTALL)
_INLINE_BRACKETS = re.compile(r"\\\((.+?)\\\)", re.DOTALL)
_DISPLAY_DOLLARS = re.compile(r"(?<![\\$])\$\$(?!\$)(.+?)(?<![\\$])\$\$(?!\$)", re.DOTALL)
_INLINE_DOLLARS = re.compile(r"(?<![\\$\w])\$(?![\s$])([^$\n]*?[^\s\\$])\$(?![\w$])")
_DASH = re.compile(r"^([ \t]*)- (?=\S)", re.MULTILINE)
_STAR = re.compile(r"^([ \t]*)[*+] (?=\S)", re.MULTILINE)
_NUMBER_DOT = re.compile(r"^([ \t]*\d{1,3})\. (?=\S)", re.MULTILINE)
_NUMBER_BRACKET = re.compile(r"^([ \t]*\d{1,3})\) (?=\S)", re.MULTILINE)
_BOLD = re.compile(r"(?<![*\w])\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*(?![*\w])")
_INDENT = re.compile(r"^[ \t]+(?=\S)", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_LINE_END = re.compile(r"[ \t]*\n")
_PLACE_TO_BREAK = re.compile(r"(?<=[.;:!?]) +(?=\S)")
_BLANK = re.compile(r" +")


def reformatted(text: str) -> str | None:
    """The text with other LaTeX delimiters, list marks, bold marks and line breaks; the same words in the same order.

    Returns:
        None where no rule applies: a text without a blank has no other form.
    """
    pieces = _FENCED.split(text) if _FENCE.search(text) else [text]
    changed = "".join(_pieces(pieces, has_lines="\n" in text.strip("\n")))
    return changed if changed != text else None


def _pieces(pieces: Sequence[str], *, has_lines: bool) -> list[str]:
    """Between the code blocks, each of which the split gives as itself and its fence."""
    kept = []
    for place, piece in enumerate(pieces):
        if place % 3 == 0:
            kept.append(_in_lines(_marks(_delimiters(piece))) if has_lines else _broken(_marks(_delimiters(piece))))
        elif place % 3 == 1:
            kept.append(piece)
    return kept


def _delimiters(text: str) -> str:
    r"""Brackets `\(...\)` and `\[...\]` become dollars, or dollars brackets where there are no brackets."""
    if _INLINE_BRACKETS.search(text) or _DISPLAY_BRACKETS.search(text):
        return _INLINE_BRACKETS.sub(lambda m: f"${m[1].strip()}$", _DISPLAY_BRACKETS.sub(r"$$\1$$", text))
    text = _DISPLAY_DOLLARS.sub(r"\\[\1\\]", text)
    return _INLINE_DOLLARS.sub(r"\\(\1\\)", text)


def _marks(text: str) -> str:
    """`-` and `*` before list items change places, `1.` becomes `1)` or back, `**bold**` becomes `__bold__`."""
    text = _first_that_applies(text, ((_DASH, r"\1* "), (_STAR, r"\1- ")))
    text = _first_that_applies(text, ((_NUMBER_DOT, r"\1) "), (_NUMBER_BRACKET, r"\1. ")))
    return _BOLD.sub(r"__\1__", text)


def _first_that_applies(text: str, rules: Sequence[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in rules:
        if pattern.search(text):
            return pattern.sub(replacement, text)
    return text


def _in_lines(text: str) -> str:
    """Paragraphs move together, or apart where they stood together; indents go."""
    text = _INDENT.sub("", text)
    return _BLANK_LINES.sub("\n", text) if _BLANK_LINES.search(text.strip("\n")) else _LINE_END.sub("\n\n", text)


def _broken(text: str) -> str:
    """A text on one line is broken at its sentences, one of a single sentence in its middle."""
    if _PLACE_TO_BREAK.search(text):
        return _PLACE_TO_BREAK.sub("\n", text)
    blanks = [match for match in _BLANK.finditer(text) if text[: match.start()].strip() and text[match.end() :].strip()]
    if not blanks:
        return text
    middle = blanks[len(blanks) // 2]
    return f"{text[: middle.start()]}\n{text[middle.end() :]}"
