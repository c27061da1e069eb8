"""Every decision of a solution: which tokens there keep the target within reach.

    6 * 11 = 66 left 12 2 66 ; 2 + 12 = ...
    ^ ^ ^                      ^ ^ ^        decisions: an operand, an operation, the other operand

What stands between them follows from them. Each word is a token of the miniature. A token is live where some step
that begins with the words so far and this one is allowed and leads to a live state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.countdown import Countdown, Step
from examples.miniature.tokens import ASK, BOS, TOKEN_ID, VOCABULARY
from examples.miniature.why.fates import MOST_LEFT, Fate, fate, state_after

_OPERATIONS = "+-*/"
_WORDS = 3
"""Decisions of a step."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """D decisions along some solutions.

    Attributes:
        problems: (D,) ids.
        sequences: The token ids of each problem with its solution.
        n_prompt: Of each sequence, tokens of its prompt.
        sequence: (D,) which of the sequences.
        position: (D,) the position there whose next token is decided.
        live: (D, V) tokens that keep the target within reach.
    """

    problems: NDArray[np.str_]
    sequences: tuple[tuple[int, ...], ...]
    n_prompt: tuple[int, ...]
    sequence: NDArray[np.int64]
    position: NDArray[np.int64]
    live: NDArray[np.bool_]


def decisions(solutions: Iterable[tuple[str, Countdown, str]]) -> Decisions:
    """The decisions along solutions, up to the first step that may not be done.

    Args:
        solutions: Problem's id, problem, and solution as the miniature writes it. A solution with a word that is no
            token is left out, and so are decisions with too many numbers left to judge.
    """
    names: list[str] = []
    sequences: list[tuple[int, ...]] = []
    prompts: list[int] = []
    places: list[tuple[int, int]] = []
    live: list[NDArray[np.bool_]] = []
    for name, problem, text in solutions:
        prompt, words = [BOS, *problem.text.split(), ASK], text.split()
        if not all(word in TOKEN_ID for word in words):
            continue
        for place, wanted in decided(problem, words):
            names.append(name)
            places.append((len(sequences), len(prompt) - 1 + place))
            live.append(wanted)
        sequences.append(tuple(TOKEN_ID[word] for word in (*prompt, *words)))
        prompts.append(len(prompt))
    where = np.array(places, np.int64).reshape(-1, 2)
    masks = np.array(live, np.bool_).reshape(-1, len(VOCABULARY))
    return Decisions(np.array(names, np.str_), tuple(sequences), tuple(prompts), where[:, 0], where[:, 1], masks)


def decided(problem: Countdown, words: Sequence[str]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Of a solution's words, each that is a decision: its place, and (V,) the tokens that would be live there."""
    state = tuple(sorted(problem.numbers))
    start = 0
    while len(state) > 1 and start < len(words):
        if len(state) - 1 <= MOST_LEFT:
            steps = live_steps(state, problem.target)
            for number in range(min(_WORDS, len(words) - start)):
                begun = tuple(words[start : start + number])
                yield start + number, _tokens({step[number] for step in steps if step[:number] == begun})
        step = _step(words[start : start + 5])
        after = None if step is None else state_after(state, step)
        if after is None or ";" not in words[start:]:
            return
        state, start = after, words.index(";", start) + 1


def live_steps(state: Sequence[int], target: int) -> set[tuple[str, str, str]]:
    """The steps (operand, operation, operand) from a state that keep the target within reach; results from 0 on."""
    found = set()
    for i, left in enumerate(state):
        for j, right in enumerate(state):
            if i != j:
                for step in _allowed(left, right):
                    if fate(state_after(tuple(state), step), target) is Fate.LIVE:
                        found.add((str(left), step.operation, str(right)))
    return found


def _allowed(left: int, right: int) -> Iterator[Step]:
    yield Step(left, "+", right, left + right)
    yield Step(left, "*", right, left * right)
    if left >= right:
        yield Step(left, "-", right, left - right)
    if right and left % right == 0:
        yield Step(left, "/", right, left // right)


def _step(words: Sequence[str]) -> Step | None:
    """`6 * 11 = 66`; None where the words are no step."""
    if len(words) < 5 or words[3] != "=" or words[1] not in _OPERATIONS:
        return None
    if not all(words[place].isdecimal() for place in (0, 2, 4)):
        return None
    return Step(int(words[0]), words[1], int(words[2]), int(words[4]))


def _tokens(words: set[str]) -> NDArray[np.bool_]:
    mask = np.zeros(len(VOCABULARY), np.bool_)
    mask[[TOKEN_ID[word] for word in words if word in TOKEN_ID]] = True
    return mask
