"""Making texts fit into one file: compressed, and cut where they would still be too many.

13 problems x 3 strategies x 32 responses hold 19,344 judge replies; with the reasoning of a large judge that is a
quarter of a gigabyte. What a reader needs least is cut first: the judge's reasoning, then its answer, and the
responses last. A cut keeps head and tail and says how much is missing.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diversity_judge.report.mathematics import Part

_COMPRESSION = 9
_WORTH_SHARING = 24
"""Characters of a paragraph, from which on its number is shorter."""
_FORMULA_LENGTH = 4
_AFTER_BLANK_LINE = re.compile(r"(?<=\n\n)(?!\n)")

_Paragraph = tuple[Part, ...]


@dataclass(frozen=True)
class Cuts:
    """The most characters that the page keeps of each kind of text; None for all of them.

    Attributes:
        response: Of a response.
        answer: Of the visible answer of the judge.
        reasoning: Of the judge's thinking; 0 leaves it out.
    """

    response: int | None = None
    answer: int | None = None
    reasoning: int | None = None


def ladder() -> Iterator[Cuts]:
    """From nothing cut to hardly anything kept."""
    cuts = Cuts()
    yield cuts
    for reasoning in (32_000, 16_000, 8_000, 4_000, 2_000, 1_000):
        cuts = replace(cuts, reasoning=reasoning)
        yield cuts
    for both in (64_000, 32_000, 16_000):
        cuts = replace(cuts, answer=min(both, 8_000), response=both)
        yield cuts
    for answer, reasoning in ((4_000, 500), (2_000, 0), (1_500, 0), (1_000, 0)):
        cuts = replace(cuts, answer=answer, reasoning=reasoning)
        yield cuts
    for response, answer in ((8_000, 800), (4_000, 600), (2_000, 400), (1_000, 300), (500, 200)):
        cuts = replace(cuts, response=response, answer=answer)
        yield cuts


@dataclass
class Lengths:
    """Characters of all texts, by kind: enough to know what a cut saves without holding the texts."""

    response: list[int] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    reasoning: list[int] = field(default_factory=list)

    def kept(self, cuts: Cuts) -> int:
        """Characters that are left."""
        kinds = ((self.response, cuts.response), (self.answer, cuts.answer), (self.reasoning, cuts.reasoning))
        return sum(_kept(lengths, limit) for lengths, limit in kinds)


def cut(text: str, limit: int | None) -> str:
    """Head and tail of a text that is longer than `limit` characters, with a line that says what is missing."""
    if limit is None or len(text) <= limit:
        return text
    head, tail = text[: (limit + 1) // 2], text[len(text) - limit // 2 :]
    return f"{head}\n[... {len(text) - limit:,} characters cut to keep this file small ...]\n{tail}"


class Paragraphs:
    """What several texts of a problem repeat, kept once: responses share paragraphs, and the judge quotes them.

    gzip looks back over 32 kB only, a hundredth of the texts of a problem.
    """

    def __init__(self) -> None:
        self._texts: list[tuple[list[Part], list[_Paragraph]]] = []
        self._uses: Counter[_Paragraph] = Counter()

    def add(self, parts: list[Part]) -> list[Part]:
        """Take a text; the list is what the page gets, once `shared` was called."""
        paragraphs = list(_paragraphs(parts))
        self._texts.append((parts, paragraphs))
        self._uses.update(paragraphs)
        return parts

    def shared(self) -> list[_Paragraph]:
        """The paragraphs that stand more than once; in the texts, -1 - k now stands for the k-th of them."""
        kept = [
            paragraph for paragraph, uses in self._uses.items() if uses > 1 and _length(paragraph) >= _WORTH_SHARING
        ]
        places = {paragraph: -1 - k for k, paragraph in enumerate(kept)}
        for parts, paragraphs in self._texts:
            parts[:] = _joined(paragraphs, places)
        return kept


def _paragraphs(parts: Sequence[Part]) -> Iterator[_Paragraph]:
    """A text, split after each blank line."""
    current: list[Part] = []
    for part in parts:
        for piece in _AFTER_BLANK_LINE.split(part) if isinstance(part, str) else [part]:
            if piece != "":
                current.append(piece)
            if isinstance(piece, str) and piece.endswith("\n\n"):
                yield tuple(current)
                current = []
    if current:
        yield tuple(current)


def _joined(paragraphs: Iterable[_Paragraph], places: Mapping[_Paragraph, int]) -> list[Part]:
    """The text again, with numbers for what is shared and as few parts as possible."""
    joined: list[Part] = []
    for paragraph in paragraphs:
        for part in (places[paragraph],) if paragraph in places else paragraph:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            else:
                joined.append(part)
    return joined


def _length(paragraph: _Paragraph) -> int:
    return sum(len(part) if isinstance(part, str) else _FORMULA_LENGTH for part in paragraph)


def pack(value: Any) -> str:
    """JSON, gzip, base64: what the page's script unpacks when it needs it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    raw = text.encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(raw, _COMPRESSION, mtime=0)).decode("ascii")


def _kept(lengths: Sequence[int], limit: int | None) -> int:
    array: NDArray[np.int64] = np.asarray(lengths, dtype=np.int64)
    return int((array if limit is None else np.minimum(array, limit)).sum())
