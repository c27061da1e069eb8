"""Replays as a table, summarised with intervals over problems, and what a person reads of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from diversity_judge.display import counted
from diversity_judge.files import Row, finite_or_none
from diversity_judge.measures.clustered import mean_of
from diversity_judge.measures.intervals import Estimate
from diversity_judge.terminal import Column, print_table
from diversity_judge.wording import interval
from generation.route_report.replay import Replay

_SHARE, _CHANGE = (0.0, 1.0), (-1.0, 1.0)


@dataclass(frozen=True)
class ReplaySummary:
    """Replays of one layer, way of drawing and kind of route.

    Attributes:
        layer: Whose route was another.
        draw: `greedy` or `same-luck`.
        route: `best` or `random`.
        n_tokens: Replayed.
        n_problems: Theirs.
        estimates: By name, each a mean over tokens.
    """

    layer: int
    draw: str
    route: str
    n_tokens: int
    n_problems: int
    estimates: Mapping[str, Estimate]


def summaries(replays: Sequence[Replay]) -> Iterator[ReplaySummary]:
    """Of each layer, way of drawing and kind of route, in the order of the replays."""
    for layer, draw, route in dict.fromkeys((one.layer, one.draw, one.route) for one in replays):
        members = [one for one in replays if (one.layer, one.draw, one.route) == (layer, draw, route)]
        problems = np.array([one.problem_id for one in members])
        estimates = {name: mean_of(values, problems, bounds=ends) for name, (values, ends) in _values(members).items()}
        yield ReplaySummary(layer, draw, route, len(members), len(set(problems.tolist())), estimates)


def replay_rows(replays: Sequence[Replay]) -> Iterator[Row]:
    """One row a replay."""
    yield from map(asdict, replays)


def summary_rows(found: Sequence[ReplaySummary]) -> Iterator[Row]:
    """One row a layer, way of drawing and kind of route."""
    for one in found:
        row: Row = {
            "layer": one.layer,
            "draw": one.draw,
            "route": one.route,
            "n_tokens": one.n_tokens,
            "n_problems": one.n_problems,
        }
        for name, estimate in one.estimates.items():
            row[name] = finite_or_none(estimate.value)
            row[f"{name}_ci_low"], row[f"{name}_ci_high"] = finite_or_none(estimate.low), finite_or_none(estimate.high)
        yield row


def print_replays(console: Console, found: Sequence[ReplaySummary]) -> None:
    """What became of the responses."""
    if not found:
        console.print("No fragile token has a better alternative: nothing is replayed.", highlight=False)
        return
    facts = [f"{counted(found[0].n_tokens, 'token')} of {counted(found[0].n_problems, 'problem')}"]
    names = {"drawn_after": "token drawn", "correct_change": "right: change", "edit_distance": "text changed"}
    columns = [Column("layer", [str(one.layer) for one in found], is_name=True)]
    columns += [Column("draw", [one.draw for one in found], is_name=True)]
    columns += [Column("route", [one.route for one in found], is_name=True)]
    for name, head in names.items():
        cells = [one.estimates[name] for one in found]
        columns.append(Column(head, [interval(e.value, e.low, e.high, 2) for e in cells]))
    print_table(console, "Fragile tokens replayed with another route", facts, columns)


def _values(members: Sequence[Replay]) -> dict[str, tuple[NDArray[np.float64], tuple[float, float]]]:
    before, after = (_known([getattr(one, name) for one in members]) for name in ("correct_before", "correct_after"))
    return {
        "drawn_before": (_known([one.drawn_before for one in members]), _SHARE),
        "drawn_after": (_known([one.drawn_after for one in members]), _SHARE),
        "correct_before": (before, _SHARE),
        "correct_after": (after, _SHARE),
        "correct_change": (after - before, _CHANGE),
        "edit_distance": (np.array([one.edit_distance for one in members]), _SHARE),
    }


def _known(flags: Sequence[bool | None]) -> NDArray[np.float64]:
    return np.array([np.nan if flag is None else float(flag) for flag in flags])
