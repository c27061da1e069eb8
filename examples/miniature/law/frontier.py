"""Is Expert-Sample more than hotter tokens? Each of its points beside the curve that the tokens alone make.

The tokens alone at rising temperatures are a curve: more diversity, more problems solved with many samples, fewer with
one. A point of Expert-Sample is held beside the place of that curve that has the same diversity, and beside the one
with the same pass@1: what it has more there is what no temperature gives. The curve is made anew in every resampling of
the problems, and never goes on beyond its last temperature; where pass@1 hardly falls with the temperature, many of the
resamplings have no such place, and what is equal in pass@1 cannot be told.

The verdicts follow from the rules of `verdicts`, adjusted by Holm over all points: above or below the frontier where
the difference surely is above or below 0, on it where it surely is within the margin, and else it cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diversity_judge.measures.intervals import Estimate
from examples.miniature.law.curves import between, rising
from examples.miniature.law.grid import KEYS, Cell, TaskGrid
from examples.miniature.law.resampling import DRAWS, estimate, means, problem_counts
from examples.miniature.verdicts import (
    DIVERSITY_MARGIN,
    POINTS_MARGIN,
    Claim,
    Verdict,
    decided,
    gain,
    no_gain,
    no_loss,
)

METRICS = ("diversity", "pass_at_1", "pass_at_n")
COMPARED = {"diversity": ("pass_at_1", "pass_at_n"), "pass_at_1": ("diversity", "pass_at_n")}
"""What is equal, and what is then compared."""
MARGINS = {"diversity": DIVERSITY_MARGIN, "pass_at_1": POINTS_MARGIN, "pass_at_n": POINTS_MARGIN}
_KNOWN_DRAWS = 0.95
"""Share of the resamplings in which a point must lie beside the curve; with fewer it is too near to its end."""


class Place(str, Enum):
    """Where a point lies; the value is the word in the tables."""

    ABOVE = "above the frontier"
    ON = "on the frontier"
    BELOW = "below the frontier"
    OPEN = "cannot be told"
    HOTTER = "beyond the hottest tokens"
    COLDER = "beyond the coldest tokens"


@dataclass(frozen=True)
class Point:
    """A cell with Expert-Sample beside the tokens alone that are equal to it in something.

    Attributes:
        cell: Which.
        equal: In what they are equal.
        metric: What is compared.
        own: Its value with Expert-Sample.
        tokens: The tokens' where they are equal; NaN beyond the curve's ends.
        temperature: Of these tokens, between those that were sampled.
        difference: Own minus tokens, with its interval over problems.
        place: The verdict.
    """

    cell: Cell
    equal: str
    metric: str
    own: float
    tokens: float
    temperature: float
    difference: Estimate
    place: Place = Place.OPEN


def frontier_of(grids: Sequence[TaskGrid], *, draws: int = DRAWS, seed: int = 0) -> list[Point]:
    """Every cell with Expert-Sample beside the curve of the tokens alone of its router, task and top-p.

    A curve needs two temperatures; cells without one are left out.
    """
    generator = np.random.default_rng(seed)
    points = [point for grid in grids for curve in _curves(grid) for point in _points(grid, *curve, draws, generator)]
    return placed(points)


def placed(points: Sequence[Point]) -> list[Point]:
    """The same points with their verdicts: a family is one comparison over all cells."""
    found: dict[int, Place] = {}
    for family in {(point.equal, point.metric) for point in points}:
        members = [i for i, point in enumerate(points) if (point.equal, point.metric) == family]
        called = _places([points[i].difference for i in members], MARGINS[family[1]])
        found.update(zip(members, called, strict=True))
    return [
        replace(point, place=found[i] if point.place is Place.OPEN else point.place) for i, point in enumerate(points)
    ]


def frontier_rows(points: Iterable[Point]) -> pd.DataFrame:
    """A row a point and comparison."""
    return pd.DataFrame(
        [
            {key: getattr(point.cell, key) for key in KEYS}
            | {
                "equal": point.equal,
                "metric": point.metric,
                "expert_sample": point.own,
                "tokens": point.tokens,
                "tokens_temperature": point.temperature,
                "difference": point.difference.value,
                "ci_low": point.difference.low,
                "ci_high": point.difference.high,
                "n_problems": point.difference.n,
                "verdict": point.place.value,
            }
            for point in points
        ]
    )


def _places(differences: Sequence[Estimate], margin: float) -> list[Place]:
    # What nothing is known of counts as one that shows nothing: which points end beyond a curve is chance, too.
    known = [d if d.se > 0 else replace(d, value=0.0, se=float("inf")) for d in differences]
    gains = decided([Claim("", "", "", (gain(d, margin),)) for d in known])
    equal = decided([Claim("", "", "", (no_loss(d, margin), no_gain(d, margin))) for d in known])
    return [_place(one.verdict, other.verdict) for one, other in zip(gains, equal, strict=True)]


def _place(of_gain: Verdict, of_equal: Verdict) -> Place:
    if of_equal is Verdict.HOLDS:
        return Place.ON
    if of_gain is Verdict.HOLDS:
        return Place.ABOVE
    return Place.BELOW if of_gain is Verdict.OPPOSITE else Place.OPEN


def _curves(grid: TaskGrid) -> Iterator[tuple[list[int], list[int]]]:
    """Places of the tokens alone by rising temperature, and of the cells with Expert-Sample beside that curve."""
    for router, top_p in sorted({(cell.router, cell.top_p) for cell in grid.cells}):
        mine = [i for i, cell in enumerate(grid.cells) if (cell.router, cell.top_p) == (router, top_p)]
        tokens = sorted((i for i in mine if not grid.cells[i].setting), key=lambda i: grid.cells[i].temperature)
        if len(tokens) > 1:
            yield tokens, [i for i in mine if grid.cells[i].setting]


def _points(
    grid: TaskGrid, tokens: Sequence[int], cells: Sequence[int], draws: int, generator: np.random.Generator
) -> Iterator[Point]:
    counts = problem_counts(len(grid.problems), draws, generator)
    temperatures = np.array([grid.cells[i].temperature for i in tokens])
    for i in cells:
        columns = [*tokens, i]
        # A curve and a point of the same problems: what problems have in common is no difference between the two.
        known = ~np.any([np.isnan(grid.values[metric][:, columns]).any(axis=1) for metric in METRICS], axis=0)
        rows = {metric: means(grid.values[metric][known][:, columns], counts[:, known]) for metric in METRICS}
        for equal in COMPARED:
            yield from _beside(grid.cells[i], equal, rows, temperatures, int(known.sum()))


def _beside(
    cell: Cell, equal: str, rows: Mapping[str, NDArray[np.float64]], temperatures: NDArray[np.float64], n: int
) -> Iterator[Point]:
    """The comparisons of one cell where one thing is equal.

    Args:
        cell: Which.
        equal: What is equal.
        rows: Metric to (R, K + 1): the tokens by rising temperature, then the cell.
        temperatures: (K,).
        n: Problems.
    """
    # Pass@1 falls as the tokens get hotter: upside down it rises like the diversity.
    sign = 1 if equal == "diversity" else -1
    x, at = rising(sign * rows[equal][:, :-1]), sign * rows[equal][:, -1:]
    beyond = _beyond(x[0], float(at[0, 0]))
    same = between(x, np.broadcast_to(temperatures, x.shape), at)[:, 0]
    for metric in COMPARED[equal]:
        tokens = between(x, rows[metric][:, :-1], at)[:, 0]
        difference = _difference(rows[metric][:, -1] - tokens, n)
        yield Point(
            cell, equal, metric, float(rows[metric][0, -1]), float(tokens[0]), float(same[0]), difference, beyond
        )


def _beyond(x: NDArray[np.float64], at: float) -> Place:
    """Where the point lies beyond the curve; `OPEN` where it lies beside it."""
    if at > x[-1]:
        return Place.HOTTER
    return Place.COLDER if at < x[0] else Place.OPEN


def _difference(rows: NDArray[np.float64], n: int) -> Estimate:
    """The difference with its interval; without one where too many draws end beyond the curve."""
    found = estimate(rows, n)
    if np.isnan(rows[1:]).mean() <= 1 - _KNOWN_DRAWS:
        return found
    nan = float("nan")
    return replace(found, low=nan, high=nan, se=nan, reason="too near to the end of the tokens' curve")
