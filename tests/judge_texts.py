"""Texts that the loopback judge recognises, and the scores that it gives them.

A test must be able to state the exact matrix that a run has to end with, without asking the code under
test. So every text carries a key (`R#name#`), and the score of an ordered pair of keys is a hash modulo 6
unless a table says otherwise: known to both sides, different for the two orders, and unrelated to anything
that the client could compute by accident.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

KEY = re.compile(r"R#([\w.-]+)#")
"""How a text names itself; plain enough to survive any escaping of a template."""

N_SCORES = 6


def score_of(first: str, second: str) -> int:
    """The loopback judge's score in 0..5 for two keys in this order."""
    return zlib.crc32(f"{first}|{second}".encode()) % N_SCORES


@dataclass(frozen=True)
class KnownTexts:
    """Finds the two texts of a prompt.

    Attributes:
        texts: Key of each text that carries no `R#...#` of its own, found by its wording (leading and
            trailing white space aside).
    """

    texts: Mapping[str, str]

    def pair_in(self, prompt: str) -> tuple[str, str] | None:
        """Keys of the first and the second text in the prompt, None where there are not two.

        A key may occur several times in its text; the first and the last occurrence decide.
        """
        found = KEY.findall(prompt)
        if len(found) >= 2:
            return found[0], found[-1]
        places = [(prompt.find(t), k) for k, text in self.texts.items() if (t := text.strip()) in prompt]
        again = [(prompt.rfind(t), k) for k, text in self.texts.items() if (t := text.strip()) in prompt]
        if not places or min(places)[0] == max(again)[0]:
            return None
        return min(places)[1], max(again)[1]


def summary_of(key: str, attempt: int = 0) -> str:
    """The loopback judge's summary of a response; it carries the key, so that pairs of summaries are known."""
    return f"1. R#{key}# picks its method.\n2. It ends.\n[Core steps: 2]"


def question_in(prompt: str) -> tuple[str, tuple[str, ...]] | None:
    """Which question that is not about a pair a prompt asks, and the keys of its responses as shown; None of a pair.

    The question is `sorting` (which share an approach), `references` (which approach of a list each takes), or
    `summary` (the core steps of one response).
    """
    for name, form in (
        ("references", "[Reference approaches:"),
        ("sorting", "[Approaches:"),
        ("summary", "[Core steps:"),
    ):
        if form in prompt:
            return name, tuple(dict.fromkeys(KEY.findall(prompt)))
    return None


@dataclass(frozen=True)
class Sample:
    """A set of responses whose keys say where they belong: `problem.strategy.index`."""

    problems: Sequence[str] = ("p0", "p1")
    strategies: Sequence[str] = ("cold", "hot")
    n: int = 6
    words: int = 30

    def key(self, problem: str, strategy: str, index: int) -> str:
        """The key of one response."""
        return f"{problem}.{strategy}.{index}"

    def text(self, problem: str, strategy: str, index: int) -> str:
        """The text of one response: its key, then `words` words that differ between responses."""
        filler = " ".join(f"step{(index * 7 + word) % 97}" for word in range(self.words))
        return f"R#{self.key(problem, strategy, index)}# {filler} so the answer is {index}."

    @property
    def groups(self) -> list[tuple[str, str]]:
        """(problem, strategy) of every group, in order of the file."""
        return [(problem, strategy) for problem in self.problems for strategy in self.strategies]

    @property
    def n_pairs(self) -> int:
        """Unordered pairs over all groups."""
        return len(self.groups) * self.n * (self.n - 1) // 2

    def write(self, path: Path) -> Path:
        """Write `responses.jsonl`."""
        with path.open("w", encoding="utf-8") as file:
            for problem, strategy in self.groups:
                for index in range(self.n):
                    line = {
                        "problem_id": problem,
                        "problem": f"What is {problem}?",
                        "strategy": strategy,
                        "sample_id": index,
                        "response": self.text(problem, strategy, index),
                    }
                    file.write(json.dumps(line) + "\n")
        return path

    def pairs(self, *, both_orders: bool = False) -> list[tuple[str, str]]:
        """The ordered pairs of keys that the tool must ask, from the rule of DESIGN.md section 6."""
        return [
            (self.key(problem, strategy, i), self.key(problem, strategy, j))
            for problem, strategy in self.groups
            for i, j in orientations(self.n, both_orders=both_orders)
        ]

    def expected_scores(self, problem: str, strategy: str, *, both_orders: bool = False) -> NDArray[np.float64]:
        """(n, n) scores by orientation, NaN where that orientation is not asked."""
        scores = np.full((self.n, self.n), np.nan)
        for i, j in orientations(self.n, both_orders=both_orders):
            scores[i, j] = score_of(self.key(problem, strategy, i), self.key(problem, strategy, j))
        return scores


def orientations(n: int, *, both_orders: bool = False) -> list[tuple[int, int]]:
    """Ordered pairs (first, second): i first when (j - i) mod n < n / 2, the lower index on the tie."""
    ordered = [(i, j) for i in range(n) for j in range(n) if i != j]
    if both_orders:
        return ordered
    return [(i, j) for i, j in ordered if 2 * ((j - i) % n) < n or (2 * ((j - i) % n) == n and i < j)]
