"""Operating points: how random the tokens are, and how much weight Expert-Sample may change, where a claim was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from diversity_judge.files import Row
from examples.miniature.comparing import Compared
from examples.miniature.plan import COMPARED
from examples.miniature.wording import with_interval

PAPER_DIVERSITY = 0.197
"""Of token sampling in the paper's example, 1 - 1992/2480 (section 3.3)."""
NEAR = 0.1
"""Diversities within this of each other are of one point; so decided before any was measured."""
PAPERS, SECOND = "like the paper's", "random tokens, sure router"
NUMBERS = "router_numbers.csv"


class Measured(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def said(self, digits: int = 3) -> str:
        """In words."""
        return with_interval(self, digits)


@dataclass(frozen=True)
class OperatingPoint:
    """Where claims were made.

    Attributes:
        name: What it is called.
        diversity: Of token sampling alone, by the exact judge.
        entropy: Of the next token under that token sampling, in nats.
        new_share: Mean share of a layer's weight that Expert-Sample puts on experts which top-k would not take.
    """

    name: str
    diversity: Measured
    entropy: Measured
    new_share: Measured

    @property
    def is_near_the_paper(self) -> bool:
        """Whether its token sampling is about as diverse as the paper's."""
        return abs(self.diversity.value - PAPER_DIVERSITY) <= NEAR

    def row(self) -> Row:
        """Of points.csv."""
        columns: Row = {"point": self.name}
        for name in ("diversity", "entropy", "new_share"):
            found: Measured = getattr(self, name)
            columns |= {name: found.value, f"{name}_ci_low": found.low, f"{name}_ci_high": found.high}
        return columns | {"is_near_the_paper": self.is_near_the_paper}


def read_point(name: str, compared: Compared, routing: Path) -> OperatingPoint:
    """Of what a model's token sampling was compared with.

    Args:
        name: What it is called.
        compared: Where token sampling alone was judged.
        routing: Folder in which `generation.routing probabilities` left the model's numbers.
    """
    (row,) = compared.process.where(strategy=COMPARED[0], metric="diversity")
    numbers = pd.read_csv(routing / NUMBERS).set_index("number")
    entropy, new_share = (
        Measured(*numbers.loc[number, ["value", "ci_low", "ci_high"]]) for number in ("entropy", "new_share")
    )
    return OperatingPoint(name, Measured(row.value, row.ci_low, row.ci_high), entropy, new_share)
