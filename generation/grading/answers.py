r"""Find the final answer in a response.

Only the visible answer counts, what follows the last `</think>`: reasoning is full of candidates that the
model dropped. A response that was cut off before it answered has no answer, which is not the same as a
wrong one.

Models that lose the thread write megabytes of one character or of openings that nothing closes. So everything
here takes time in proportion to the text: in a pattern no two neighbouring repetitions can match the same
characters, and braces and fences are read in one pass.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from diversity_judge.countdown import read_steps
from diversity_judge.rubric import split_thinking
from generation.problems import ProblemKind

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)")
_BRACE = re.compile(r"(?<!\\)[{}]")
_STATED = re.compile(r"(?:final\s+)?answer\s*(?:is|:|=)\s*(?::\s*)?(.+)", re.IGNORECASE)
_FENCE = "```"
_LANGUAGE = re.compile(r"[ \t]*([\w+-]*)")
_LETTER_STATED = re.compile(
    r"(?:answer|option|choice)(?:\s*(?:is|:|=)(?:\s*:)?)?[\s*_(\[$]*([A-Z])(?![A-Za-z])", re.IGNORECASE
)
_SPACES = (r"\,", r"\;", r"\!", r"\:", r"\ ", "~")
_PYTHON = ("python", "python3", "py")


def visible_answer(text: str) -> str:
    """What follows the reasoning, which `split_thinking` tells; nothing where it was opened and never closed."""
    return split_thinking(text)[1]


def extract_answer(text: str, kind: ProblemKind, *, n_choices: int = 0) -> str | None:
    """The final answer of a response, or None where it gives none.

    Args:
        text: The whole response.
        kind: Mathematics: an expression, tidied by `tidy_math`. Multiple choice: a letter. Code: the last
            fenced block, a Python one before any other. Countdown: the operations, sorted (`countdown_answer`).
        n_choices: How many options a multiple-choice problem has.
    """
    visible = visible_answer(text)
    if kind is ProblemKind.CODE:
        return _last_code(visible)
    if kind is ProblemKind.COUNTDOWN:
        return countdown_answer(visible)
    if kind is ProblemKind.CHOICE:
        return _letter(visible, n_choices)
    boxed = last_boxed(visible)
    if boxed is None:
        stated = _STATED.findall(visible)
        boxed = stated[-1] if stated else None
    return (tidy_math(boxed) or None) if boxed is not None else None


def last_boxed(text: str) -> str | None:
    r"""What stands in the last complete `\boxed{...}`, its braces balanced; None if there is none."""
    boxes = {match.end() for match in _BOX.finditer(text)}
    last: tuple[int, int] | None = None
    opened: list[int] = []
    for match in _BRACE.finditer(text) if boxes else ():
        if match[0] == "{":
            opened.append(match.start())
        elif opened and (start := opened.pop()) in boxes and (last is None or start > last[0]):
            last = start, match.start()
    return text[last[0] + 1 : last[1]] if last else None


def tidy_math(answer: str) -> str:
    r"""One spelling for answers that differ in typesetting only, so that equal answers can be counted.

    Takes off `$`, `\( \)`, a closing full stop, spacing commands, `\left` and `\right`; `\dfrac` and
    `\tfrac` become `\frac`; `,` between thousands and leading zeros of an integer go. It computes nothing:
    1/2 and 0.5 stay two answers here (grading knows that they are equal).
    """
    text = answer.strip().strip("*_ ").removesuffix(".").strip()
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        if len(text) > len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing):
            text = text[len(opening) : -len(closing)].strip()
    for space in _SPACES:
        text = text.replace(space, " ")
    text = re.sub(r"\\(?:left|right)(?![a-zA-Z])\s*", "", text)
    text = re.sub(r"\\[dt]frac(?![a-zA-Z])", r"\\frac", text)
    text = " ".join(text.split()).removesuffix(".")
    if re.fullmatch(r"[+-]?\d{1,3}(?:(?:,|\{,\}| )\d{3})+", text):
        text = re.sub(r"[^\d+-]", "", text)
    if re.fullmatch(r"\d+", text):
        text = text.lstrip("0") or "0"
    return text


def _letter(visible: str, n_choices: int) -> str | None:
    letters = string.ascii_uppercase[: n_choices or len(string.ascii_uppercase)]
    boxed = last_boxed(visible)
    if boxed is not None:
        bare = re.sub(r"\\(?:textbf|text|mathrm|mathbf)\s*", "", boxed)
        match = re.match(r"[\s({$*]*([A-Za-z])(?![A-Za-z])", bare)
        found = match[1].upper() if match else ""
        return found if found and found in letters else None
    stated = [letter.upper() for letter in _LETTER_STATED.findall(visible)]
    if not stated:
        alone = [line.strip().strip("*_()[].$ ") for line in visible.strip().splitlines()[-1:]]
        stated = [line for line in alone if len(line) == 1]
    return stated[-1] if stated and stated[-1] in letters else None


def _last_code(visible: str) -> str | None:
    blocks = list(_fenced_blocks(visible))
    python = [code for language, code in blocks if language in _PYTHON]
    chosen = python or [code for _, code in blocks]
    return chosen[-1].strip("\n") if chosen and chosen[-1].strip() else None


def _fenced_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language (in lower case) and content of each block whose fence is closed."""
    language = ""
    content: list[str] | None = None
    for line in text.split("\n"):
        stripped = line.lstrip(" \t")
        if not stripped.startswith(_FENCE):
            if content is not None:
                content.append(line)
        elif content is None:
            named = _LANGUAGE.match(stripped, len(_FENCE))
            language, content = named[1].lower() if named else "", []
        else:
            yield language, "\n".join(content)
            content = None


def countdown_answer(visible: str) -> str | None:
    """The operations of a countdown solution, each in one form and all sorted: the order of the steps is no answer."""
    operations = [f"{left}{sign}{right}" for sign, left, right in (step.canonical for step in read_steps(visible))]
    return " ".join(sorted(operations)) or None
