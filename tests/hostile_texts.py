"""Texts of a megabyte that models write when they lose the thread, or that someone makes to stop a reader.

As a program it has one reader read them all, and says before each which one it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

SIZE = 1_000_000


def _repeat(piece: str) -> str:
    return piece * (SIZE // len(piece))


def hostile_texts() -> Mapping[str, str]:
    """Each text by what it is made of."""
    pieces = {
        "blanks": " ",
        "tabs": "\t",
        "lines": "\n",
        "blank lines": " \n",
        "wide blanks": "\u3000",
        "letters": "a",
        "digits": "7",
        "other digits": "\u0663",
        "thousands": ",000",
        "signs": "*",
        "dollars": "$",
        "prices": "$ ",
        "braces": "{",
        "closing braces": "}",
        "pairs of braces": "{}",
        "escaped braces": "\\{",
        "backslashes": "\\",
        "brackets": "[",
        "boxes": "\\boxed{",
        "boxes and blanks": "\\boxed ",
        "full boxes": "\\boxed{1}",
        "answers": "answer",
        "answers with blanks": "answer  ",
        "answers with signs": "answer: ",
        "answers with lines": "answer is\n",
        "final answers": "final answer ",
        "final": "final ",
        "fences": "```\n",
        "fences in a row": "```",
        "fences with names": "```python\n",
        "thoughts": "<think>",
        "ends of thoughts": "</think>",
        "thoughts in a row": "<think></think>",
        "marks that are spoken of": "`<think>` ",
        "ends that are spoken of": "`</think>` ",
        "scores": "[Final Score: ",
        "scores with values": "[Final Score: 4]\n",
        "steps": "6 * 11 = 66 ; ",
        "steps without results": "6 * ",
        "numbers": "123456789 ",
        "formulas": "\\(x\\) ",
        "openings of formulas": "\\(",
        "openings of blocks": "\\[ ",
        "environments": "\\begin{align}",
        "fractions": "\\frac{1}{",
        "lefts": "\\left( ",
        "Chinese": "\u7b54\u6848",
        "Arabic": "\u0627\u0644\u062c\u0648\u0627\u0628 ",
        "marks": "e\u0301\u0301",
        "surrogates": "\ud800",
        "nulls": "\0",
        "escapes": "\x1b[31m",
    }
    texts = {name: _repeat(piece) for name, piece in pieces.items()}
    for opening in (
        "answer",
        "answer:",
        "answer is",
        "final",
        "\\boxed",
        "[final",
        "[final score: 4",
        "6",
        "```python",
    ):
        for name, filler in (("blanks", " "), ("lines", "\n"), ("letters", "a")):
            texts[f"{opening} and {name}"] = opening + _repeat(filler)
    texts["nested braces in a box"] = "\\boxed{" + "{" * (SIZE // 2) + "}" * (SIZE // 2) + "}"
    texts["a box of thousands"] = "\\boxed{1" + _repeat(",000") + "x}"
    texts["a box of blanks"] = "\\boxed{(" + _repeat(" ") + "}"
    texts["a box of spacing"] = "\\boxed{" + _repeat("\\,") + "}"
    texts["an unclosed block"] = "```" + "a" * (SIZE // 2) + "\n" + "\n" * (SIZE // 2)
    texts["an unclosed block with blanks"] = "``` " + " " * (SIZE // 2) + "\n" + " \n" * (SIZE // 4)
    return texts


def _readers() -> Mapping[str, Callable[[str], Any]]:
    from diversity_judge.countdown import read_steps
    from diversity_judge.inputs.views import view_of
    from diversity_judge.planning.prompting import parse_reply
    from diversity_judge.text_safety import printable, slug, well_formed
    from generation.grading.answers import extract_answer
    from generation.problems import ProblemKind

    return {
        "mathematics": lambda text: extract_answer(text, ProblemKind.MATH),
        "choice": lambda text: extract_answer(text, ProblemKind.CHOICE, n_choices=4),
        "code": lambda text: extract_answer(text, ProblemKind.CODE),
        "countdown": lambda text: extract_answer(text, ProblemKind.COUNTDOWN),
        "steps": read_steps,
        "judge's reply": parse_reply,
        "views": lambda text: (view_of(text, "thinking"), view_of(text, "final")),
        "safe text": lambda text: (printable(text), slug(text), well_formed(text)),
        "formulas": _find_formulas,
    }


def _find_formulas(text: str) -> None:
    """Without their conversion, which reads at most 2,000 characters of each."""
    from diversity_judge.report.mathematics import _find

    _find(text)


READERS = ("mathematics", "choice", "code", "countdown", "steps", "judge's reply", "views", "safe text", "formulas")

if __name__ == "__main__":
    read = _readers()[sys.argv[1]]
    for description, hostile in hostile_texts().items():
        print(description, flush=True)
        read(hostile)
    print("all read", flush=True)
