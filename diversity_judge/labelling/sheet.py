"""A label sheet: what a person sees, in which order, and what is kept from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diversity_judge.inputs.views import view_of
from diversity_judge.labelling.sampling import Chosen, Place, choose_controls, choose_pairs
from diversity_judge.runs.labels import PAIR, text_digest
from diversity_judge.runs.loading import Run

_TOKEN_LENGTH = 8
"""Hexadecimal digits of an item's name and of a sheet's: enough to tell one from another, short enough to be typed."""
_PAIRS_A_CONTROL = 10
_FEWEST_CONTROLS = 2
"""One of each kind."""


@dataclass(frozen=True, eq=False)
class Item:
    """One question of a sheet.

    Attributes:
        name: What page and answers call it; it says nothing.
        chosen: The pair, in the order of the run.
        is_turned: Whether the second response stands on the left.
    """

    name: str
    chosen: Chosen
    is_turned: bool

    @property
    def sides(self) -> tuple[Place, Place]:
        """What stands on the left and on the right."""
        first, second = self.chosen.first, self.chosen.second
        return (second, first) if self.is_turned else (first, second)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A blinded label sheet.

    Attributes:
        name: It stands on the page, in the answers and in the key, so that they are not mixed up.
        run: The run whose pairs are labelled.
        seed: Of the draw.
        items: The questions, in the order in which they are asked.
    """

    name: str
    run: Run
    seed: int
    items: tuple[Item, ...]

    @property
    def n_pairs(self) -> int:
        """How many of the items are pairs of the run; the others are controls."""
        return sum(item.chosen.kind == PAIR for item in self.items)

    def shown(self, place: Place) -> str:
        """What a person sees of a response: the part of it that the judge saw, not cut short."""
        text = place.group.responses[place.position].text
        return view_of(text, self.run.instrument.view) or ""  # type: ignore[arg-type]


def usual_controls(n_pairs: int) -> int:
    """How many controls stand among so many pairs: one in ten, at least one of each kind."""
    return max(_FEWEST_CONTROLS, n_pairs // _PAIRS_A_CONTROL)


def make_sheet(run: Run, *, n_pairs: int, n_controls: int, seed: int) -> Sheet:
    """Draw the pairs and lay them out: in a random order, each with a random side first.

    Args:
        run: A judged run.
        n_pairs: Pairs of the run.
        n_controls: Controls among them.
        seed: Of all that is drawn; the same run and seed give the same sheet.

    Raises:
        InputError: the run has no pair to label.
    """
    rng = np.random.default_rng(seed)
    pairs = choose_pairs(run, n_pairs, rng)
    chosen = [*pairs, *choose_controls(pairs, n_controls, rng)]
    laid = [chosen[at] for at in rng.permutation(len(chosen))]
    turned = rng.random(len(laid)) < 0.5
    name = _token(json.dumps([seed, [_identity(one) for one in laid]]))
    items = [
        Item(_token(f"{name} {number}"), one, bool(is_turned))
        for number, (one, is_turned) in enumerate(zip(laid, turned, strict=True))
    ]
    return Sheet(name, run, seed, tuple(items))


def _identity(chosen: Chosen) -> Sequence[str]:
    """What makes the item what it is: a sheet of other texts has another name."""
    places = (chosen.first, chosen.second)
    return [chosen.kind, *(text_digest(place.group.responses[place.position].text) for place in places)]


def _token(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_TOKEN_LENGTH]
