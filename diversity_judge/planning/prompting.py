"""Fill the judge's template, and read the score out of its reply.

Responses are hostile text: they hold braces, `{text2}`, score lines and look-alikes of any delimiter. So a
template is filled in one pass that never looks at what it has put in, and each text stands between markers
that carry a code which does not occur in the texts.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from diversity_judge.choices import DEFAULT_PROMPT
from diversity_judge.errors import InputError
from diversity_judge.planning.prompt_files import PromptFile, load_prompt_file
from diversity_judge.rubric import Missing, broken_off, is_unfinished, split_thinking

_MARKER_FORMAT = "1"
"""Version of the marker lines; part of the template's hash, because the judge sees them."""

_PLACEHOLDER = re.compile(r"\{(text1|text2|problem)\}")
_SCORE = re.compile(r"\[\s*final\s+score\s*:([^\[\]\n]*\]?)", re.IGNORECASE)
_VALUE = re.compile(r"[\s*_`]*([0-5])(?:\s*/\s*5)?[\s*_`]*\]")


@dataclass(frozen=True)
class PromptTemplate:
    """A judge's template with the places `{text1}`, `{text2}` and optionally `{problem}`."""

    file: PromptFile

    @classmethod
    def load(cls, name_or_path: str = DEFAULT_PROMPT) -> PromptTemplate:
        """Read and check a template, by the name of a shipped one or by path.

        Raises:
            InputError: it does not exist, or does not hold each of `{text1}` and `{text2}` once, in this order.
        """
        file = load_prompt_file(name_or_path)
        places = [match[1] for match in _PLACEHOLDER.finditer(file.body) if match[1] != "problem"]
        if places != ["text1", "text2"]:
            raise InputError(
                f"{file.path}: a judge's template holds {{text1}} once and then {{text2}} once, "
                f"this one has {places or 'neither'}"
            )
        return cls(file)

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of all that the template adds to the texts."""
        return hashlib.sha256(f"{_MARKER_FORMAT}\n{self.file.body}".encode()).hexdigest()

    @property
    def label(self) -> str:
        """Name, version and the beginning of the hash, for tables."""
        return f"{self.file.name} v{self.file.version} ({self.digest[:8]})"

    @property
    def uses_problem(self) -> bool:
        """Whether the problem's text is shown to the judge."""
        return "{problem}" in self.file.body

    def fill(self, text1: str, text2: str, problem: str | None = None) -> str:
        """The prompt for one ordered pair.

        Args:
            text1: What the judge reads first.
            text2: What it reads second.
            problem: The problem's text; needed when the template uses it.

        Raises:
            InputError: the template uses `{problem}` and there is none.
        """
        if self.uses_problem and problem is None:
            raise InputError(f"{self.file.path} uses {{problem}}, but the responses carry no problem text")
        texts = {"text1": text1, "text2": text2, "problem": problem or ""}
        names = {"text1": "RESPONSE 1", "text2": "RESPONSE 2", "problem": "PROBLEM"}
        others = tuple(texts.values())
        return _PLACEHOLDER.sub(lambda place: enclosed(names[place[1]], texts[place[1]], others), self.file.body)


def enclosed(name: str, text: str, all_texts: tuple[str, ...]) -> str:
    """A text between markers whose code is derived from it and occurs in none of the texts.

    The code depends on this text alone (unless it happens to occur in another), so all prompts that share
    their first text share it to the byte, and a prefix cache can serve it.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    code = digest[:16]
    while any(code in other for other in all_texts):
        digest = hashlib.sha256(digest.encode()).hexdigest()
        code = digest[:16]
    return f"=== BEGIN {name} {code} ===\n{text}\n=== END {name} {code} ==="


class ParsedReply(NamedTuple):
    """What a reply says: a score, or the reason why there is none."""

    score: int | None
    reason: str | None = None


def parse_reply(content: str, finish_reason: str | None = None) -> ParsedReply:
    """Read the similarity out of a judge's reply.

    The last `[Final Score: ...]` of the visible answer decides, and must hold one integer 0..5 (`4/5` counts).
    Reasoning is never searched (`split_thinking`): what stands before the last `</think>` is not part of the answer,
    and a reply that opens a thought after it, or never closes one, is `unfinished`.

    Args:
        content: The reply's text, without a separate reasoning field.
        finish_reason: As the API gave it. A reply that was broken off (`length` and the like) has no score.
    """
    if (reason := broken_off(finish_reason)) is not None:
        return ParsedReply(None, reason)
    _, answer = split_thinking(content)
    if not answer or answer.isspace():
        return ParsedReply(None, Missing.UNFINISHED if is_unfinished(content) else Missing.EMPTY)
    if last := _SCORE.match(answer, answer.rfind("[")):  # Nearly always; found without a look at the rest.
        return _read_value(last[1])
    scores = _SCORE.findall(answer)
    return _read_value(scores[-1]) if scores else ParsedReply(None, Missing.UNPARSABLE)


def visible_answer(content: str) -> str:
    """The part of a reply that is the answer: what follows the last `</think>`, if there is one."""
    return split_thinking(content)[1]


@lru_cache(maxsize=64)
def _read_value(text: str) -> ParsedReply:
    """Read what stands behind the colon; thousands of replies say the same few things."""
    value = _VALUE.fullmatch(text)
    return ParsedReply(int(value[1])) if value else ParsedReply(None, Missing.UNPARSABLE)
