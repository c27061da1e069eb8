"""The figures of the explanation, drawn without `pyplot` as all are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diversity_judge.drawing.axes import ShownFigure, plain_text, style_axes
from diversity_judge.drawing.look import COLOURS
from diversity_judge.measures.intervals import Estimate
from examples.miniature.why.fates import Kind
from examples.miniature.why.findings import EXPERT, HOTTER, MARGINS, NORMAL, Findings, margin_classes

DPI = 130
_KINDS = {
    Kind.BETTER: "for the better",
    Kind.WORSE: "for the worse",
    Kind.SIDEWAYS: "sideways",
    Kind.LOST: "lost either way",
    Kind.GONE: "lost before",
}
_ARMS = {NORMAL: (COLOURS[0], "o"), EXPERT: (COLOURS[1], "s")}
_HOT = {HOTTER: (COLOURS[4], "v")}


def departures_figure(found: Findings) -> Figure:
    """How responses leave the greedy solution, and what that gains, by whether the greedy solution is right."""
    figure = ShownFigure(figsize=(9.6, 3.8), layout="constrained", dpi=DPI)
    left, right = figure.subplots(1, 2)
    for shift, (arm, (colour, marker)) in zip((-0.12, 0.12), _ARMS.items(), strict=True):
        own = [found("departures", "rate", kind.value, arm) for kind in _KINDS]
        _points(left, own, [place + shift for place in range(len(own))], colour, marker, arm)
    left.set_yticks(range(len(_KINDS)), list(_KINDS.values()))
    left.set_xlabel("percent of the responses", fontsize=9)
    left.set_xlim(left=0)
    left.set_title("how responses leave the greedy solution", loc="left", **plain_text(9.5))
    left.legend(frameon=False, fontsize=9)
    groups = {"greedy wrong": "greedy is wrong", "greedy right": "greedy is right", "all": "all problems"}
    for shift, what, colour, marker in ((-0.12, "pass@1", COLOURS[2], "D"), (0.12, "pass@n", COLOURS[3], "^")):
        own = [found("gains", what, group) for group in groups]
        _points(right, own, [place + shift for place in range(len(own))], colour, marker, what)
    right.axvline(0, color="black", linewidth=0.8)
    right.set_yticks(range(len(groups)), list(groups.values()))
    right.set_xlabel("Expert-Sample - token-normal, points", fontsize=9)
    right.set_title("what it changes", loc="left", **plain_text(9.5))
    right.legend(frameon=False, fontsize=9)
    return figure


def decisions_figure(found: Findings) -> Figure:
    """How drawn routes flip decisions by how close they are, and what each arm leaves the likeliest token for."""
    figure = ShownFigure(figsize=(9.6, 3.8), layout="constrained", dpi=DPI)
    left, right = figure.subplots(1, 2)
    names = [f"{low:g} to {high:g}" if high < math.inf else f"{low:g} or more" for low, high in pairwise(MARGINS)]
    flipped = [found("decisions", "flipped", of, EXPERT) for of, _ in margin_classes()]
    _points(left, flipped, range(len(flipped)), COLOURS[1], "s", EXPERT)
    left.set_yticks(range(len(names)), names)
    left.set_ylabel("nats between the two likeliest tokens", fontsize=9)
    left.set_xlabel("percent of the draws", fontsize=9)
    left.set_xlim(left=0)
    left.set_title("drawn routes make another token the likeliest", loc="left", **plain_text(9.5))
    for shift, (arm, (colour, marker)) in zip((-0.2, 0.0, 0.2), (_ARMS | _HOT).items(), strict=True):
        own = [found("decisions", "left", kind.value, arm) for kind in _KINDS]
        _points(right, own, [place + shift for place in range(len(own))], colour, marker, arm)
    right.set_yticks(range(len(_KINDS)), list(_KINDS.values()))
    right.set_xlabel("percent of the decisions", fontsize=9)
    right.set_xlim(left=0)
    right.set_title("what the likeliest token is left for", loc="left", **plain_text(9.5))
    right.legend(frameon=False, fontsize=9)
    return figure


def _points(
    axes: Axes, estimates: Sequence[Estimate], places: Sequence[float], colour: str, marker: str, label: str
) -> None:
    """Percent with intervals, one a line from above."""
    style_axes(axes)
    axes.yaxis.set_inverted(True)
    values = [100 * one.value for one in estimates]
    spread = [[100 * (one.value - one.low) for one in estimates], [100 * (one.high - one.value) for one in estimates]]
    axes.errorbar(
        values, places, xerr=spread, linestyle="none", color=colour, marker=marker, markersize=5, capsize=2, label=label
    )
