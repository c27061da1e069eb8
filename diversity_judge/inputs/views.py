"""What of a response the judge is shown: a view of it, and, if the user says so, only its head and tail."""

from __future__ import annotations

from dataclasses import dataclass

from diversity_judge.choices import View
from diversity_judge.rubric import THINK_START, split_thinking

_ASCII_CHARACTERS_PER_TOKEN = 3.0
"""Mathematics in English runs at 3 to 4 characters a token; the low end keeps the estimate on the safe side."""


@dataclass(frozen=True)
class ShownText:
    """A text as the judge sees it, and how many of its estimated tokens were cut out of the middle."""

    text: str
    tokens_cut: int = 0


def estimate_tokens(text: str) -> int:
    """Estimated tokens of a text, rather too many than too few; no tokenizer is loaded for it."""
    ascii_characters = len(text.encode("ascii", "ignore"))
    return round(ascii_characters / _ASCII_CHARACTERS_PER_TOKEN) + len(text) - ascii_characters


def view_of(text: str, view: View) -> str | None:
    """The whole response, its thinking only, or what follows the thinking (`split_thinking` says where it ends).

    None when the response has no thinking and that is what was asked for.
    """
    if view == "full":
        return text
    thinking, final = split_thinking(text)
    if view == "final":
        return final.strip()
    return None if not thinking else thinking.lstrip("\ufeff").strip().removeprefix(THINK_START).strip()


def truncate(text: str, max_tokens: int) -> ShownText:
    """Keep the head and the tail of a text that is longer than `max_tokens` estimated tokens, and mark the cut."""
    tokens = estimate_tokens(text)
    if tokens <= max_tokens:
        return ShownText(text)
    kept = max(2, int(len(text) * max_tokens / tokens))
    head, tail = text[: (kept + 1) // 2], text[len(text) - kept // 2 :]
    cut = tokens - max_tokens
    return ShownText(f"{head}\n[... about {cut} tokens cut out here ...]\n{tail}", cut)
