"""The rows of `summary.csv` and `curve.csv`: what holds of each class of tokens, with intervals over problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from diversity_judge.files import Cell, Row, finite_or_none
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.route_utility import ALL, SECOND_SET, ClassFinding, findings, null_best_beats
from generation.route_report.tokens import Part

BOUNDARIES = (0.5, 0.9)
"""Ours: what is published names no threshold of "fragile"."""
FRAGILE, BETWEEN, CONFIDENT = CLASS_NAMES = ("fragile", "between", "confident")
CURVE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.999, 0.9999, 0.999999)
"""Boundaries of the finer classes that the figure draws."""


@dataclass(frozen=True)
class Found:
    """What holds of one class in one part of the table.

    Attributes:
        layer: Index of the layer.
        scheme: How alternatives were drawn.
        tau: Their temperature; None where the scheme has none.
        n_alternatives: Routes drawn a token.
        name: Of the class.
        above: Tokens of the class have a probability above this,
        up_to: and not above this.
        share: Of all tokens of the part.
        finding: The rest.
    """

    layer: int
    scheme: str
    tau: float | None
    n_alternatives: int
    name: str
    above: float
    up_to: float
    share: float
    finding: ClassFinding

    def __getitem__(self, statistic: str) -> Estimate:
        """One of its estimates."""
        return self.finding.estimates[statistic]


def classes_of(part: Part, boundaries: Sequence[float], names: Sequence[str] = ()) -> Iterator[Found]:
    """All tokens and each class, by both definitions.

    Raises:
        ValueError: the boundaries do not rise within (0, 1).
    """
    ends = (0.0, *boundaries, 1.0)
    for finding in findings(part.utilities, boundaries):
        place = finding.place
        above, up_to = (0.0, 1.0) if place is None else (ends[place], ends[place + 1])
        name = ALL if place is None else names[place] if names else f"{above:g}-{up_to:g}"
        yield Found(
            part.layer, part.scheme, finite_or_none(part.tau), part.n_alternatives, name, above, up_to,
            finding.n_tokens / len(part.utilities), finding,
        )  # fmt: skip


def rows(found: Iterable[Found]) -> Iterator[Row]:
    """One row a class: how it was made, how many, and each estimate with its interval."""
    for one in found:
        finding = one.finding
        counts: dict[str, Cell] = {
            "layer": one.layer,
            "scheme": one.scheme,
            "tau": one.tau,
            "n_alternatives": one.n_alternatives,
            "definition": finding.definition,
            "class": one.name,
            "p_above": one.above,
            "p_up_to": one.up_to,
            "n_tokens": finding.n_tokens,
            "n_problems": finding.n_problems,
            "share_of_tokens": one.share,
            "n_placebo_tokens": finding.placebo_tokens,
            "n_chosen_tokens": finding.chosen_tokens,
            "null_best_beats": null_best_beats(one.n_alternatives),
        }
        yield counts | {
            column: cell for name, estimate in finding.estimates.items() for column, cell in _cells(name, estimate)
        }


def of_last_layer(found: Sequence[Found], definition: str = SECOND_SET) -> dict[str, Found]:
    """The classes of the deepest layer by name, of its first scheme."""
    layer = max(one.layer for one in found)
    scheme = next(one.scheme for one in found if one.layer == layer)
    kept = [one for one in found if (one.layer, one.scheme, one.finding.definition) == (layer, scheme, definition)]
    return {one.name: one for one in kept}


def _cells(name: str, estimate: Estimate) -> Iterator[tuple[str, Cell]]:
    yield name, finite_or_none(estimate.value)
    yield f"{name}_ci_low", finite_or_none(estimate.low)
    yield f"{name}_ci_high", finite_or_none(estimate.high)
