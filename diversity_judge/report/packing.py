"""Making texts fit into one file: compressed, and cut where they would still be too many.

13 problems x 3 strategies x 32 responses hold 19,344 judge replies; with the reasoning of a large judge that is a
quarter of a gigabyte. What a reader needs least is cut first: the judge's reasoning, then its answer, and the
responses last. A cut keeps head and tail and says how much is missing.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COMPRESSION = 9


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


def pack(value: Any) -> str:
    """JSON, gzip, base64: what the page's script unpacks when it needs it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    raw = text.encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(raw, _COMPRESSION, mtime=0)).decode("ascii")


def embed(value: Any) -> str:
    """JSON that may stand in a script element: no character in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _kept(lengths: Sequence[int], limit: int | None) -> int:
    array: NDArray[np.int64] = np.asarray(lengths, dtype=np.int64)
    return int((array if limit is None else np.minimum(array, limit)).sum())
