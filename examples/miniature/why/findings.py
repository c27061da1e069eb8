"""One number of `why.csv` with its interval over problems."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from diversity_judge.files import Row, write_csv
from diversity_judge.measures.intervals import Estimate

TABLE = "why.csv"
NORMAL, EXPERT, CHANGE = "token-normal", "expert-sample", "change"
"""Of which responses a number is; a change is Expert-Sample's minus token-normal's on the same problems."""
HOTTER = "hotter tokens"
"""Token sampling alone at the temperature at which it leaves the likeliest token as often as Expert-Sample does."""
MARGINS = (0.0, 0.5, 1.0, 2.0, 4.0, float("inf"))
"""Classes of decisions by what the two likeliest tokens' log-probabilities differ by, in nats."""


def margin_classes() -> list[tuple[str, str]]:
    """Of each class its name in the table, and words for it."""
    return [
        (f"margin {low:g} to {high:g}", f"{low:g} to {high:g} nats" if high < math.inf else f"{low:g} nats or more")
        for low, high in pairwise(MARGINS)
    ]


@dataclass(frozen=True)
class Finding:
    """A number and what it is of.

    Attributes:
        part: `departures`, `gains`, `routes` or `decisions`.
        what: The figure, such as `rate`.
        of: The kind of departure, or the class, that it is of.
        arm: Whose responses or routes.
        estimate: Value and interval over problems.
    """

    part: str
    what: str
    of: str
    arm: str
    estimate: Estimate

    def row(self) -> Row:
        """Of the table."""
        one = self.estimate
        return {
            "part": self.part,
            "what": self.what,
            "of": self.of,
            "arm": self.arm,
            "value": one.value,
            "ci_low": one.low,
            "ci_high": one.high,
            "n_problems": one.n,
            "reason": one.reason,
        }


def plain(value: float, n: int) -> Estimate:
    """A number without an interval, of n problems: one that was set, or that is said to read another by."""
    nan = float("nan")
    return Estimate(value, nan, nan, nan, n, "")


class Findings:
    """All of a run, asked for by name."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self._by_name = {(one.part, one.what, one.of, one.arm): one.estimate for one in findings}
        self._all = tuple(findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._all)

    def has(self, part: str) -> bool:
        """Whether that part was computed."""
        return any(one.part == part for one in self._all)

    def __call__(self, part: str, what: str, of: str = "all", arm: str = CHANGE) -> Estimate:
        """One number.

        Raises:
            KeyError: it was not computed.
        """
        return self._by_name[part, what, of, arm]


def write(folder: Path, findings: Findings) -> None:
    """Write the table."""
    write_csv(folder / TABLE, [one.row() for one in findings])


def read(folder: Path) -> Findings:
    """Read the table again; what it does not hold of an estimate (standard error, method) is lost."""
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return Findings([_finding(row) for row in csv.DictReader(file)])


def _finding(row: Mapping[str, str]) -> Finding:
    value, low, high = (float(row[name] or "nan") for name in ("value", "ci_low", "ci_high"))
    estimate = Estimate(value, low, high, float("nan"), int(row["n_problems"]), "", row["reason"])
    return Finding(row["part"], row["what"], row["of"], row["arm"], estimate)
