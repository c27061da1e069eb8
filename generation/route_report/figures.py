"""The figures: what confidence does to the standard of routing, and what depth does.

Drawn without `pyplot`, like all figures.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diversity_judge.drawing.axes import ShownFigure, drawable, plain_text, style_axes
from diversity_judge.drawing.look import COLOURS
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.route_utility import ALL, NAIVE, SECOND_SET
from generation.route_report.summary import CLASS_NAMES, Found

DPI = 150
_SECOND, _NAIVE, _PLACEBO = COLOURS[0], COLOURS[6], COLOURS[1]
_PLACEBO_BEATEN = "placebo_beaten_by"
_MARKERS = ("o", "s", "D")
_FEWEST = 20
"""A bin of fewer tokens is not drawn: its interval would fill the panel."""


def confidence_figure(curve: Sequence[Found]) -> Figure:
    """Share of alternatives that beat the standard route, and regret, against confidence; one layer."""
    figure = ShownFigure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    bins = [one for one in curve if one.name != ALL]
    second = [one for one in bins if one.finding.definition == SECOND_SET]
    naive = [one for one in bins if one.finding.definition == NAIVE]
    places = {one.up_to: place for place, one in enumerate(second)}
    for axes, own, placebo in ((left, "beaten_by", _PLACEBO_BEATEN), (right, "regret", "placebo_regret")):
        _line(axes, places, naive, own, color=_NAIVE, marker="v", linestyle="--", label="naive classes")
        _line(axes, places, second, own, color=_SECOND, marker="o", label="classes by a second set", band=True)
        label = "a random route in its place"
        _line(axes, places, second, placebo, color=_PLACEBO, marker="x", linestyle=":", label=label, band=True)
        _name_bins(axes, second)
    left.axhline(0.5, color="black", linewidth=0.8)
    left.set_ylim(0, 1)
    left.set_title("share of alternatives that beat the standard route", loc="left", **plain_text(9.5))
    right.set_ylim(bottom=0)
    right.set_title("regret: best alternative - standard route (nats)", loc="left", **plain_text(9.5))
    right.legend(frameon=False, fontsize=9)
    _titled(figure, second[0], "Routes of equal cost, by the confidence of the token")
    return figure


def depth_figure(found: Sequence[Found]) -> Figure:
    """The same by layer, a line a class of the second set."""
    figure = ShownFigure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 2)
    second = [one for one in found if one.finding.definition == SECOND_SET]
    layers = sorted({one.layer for one in second})
    places = {layer: place for place, layer in enumerate(layers)}
    for axes, statistic in zip(panels, ("beaten_by", "regret"), strict=True):
        style_axes(axes)
        for name, marker, colour in zip(CLASS_NAMES, _MARKERS, COLOURS, strict=False):
            members = [one for one in second if one.name == name and one.finding.n_tokens >= _FEWEST]
            _points(axes, [places[one.layer] for one in members], members, statistic, color=colour, marker=marker,
                    label=name, band=True)  # fmt: skip
        axes.set_xticks(range(len(layers)), [str(layer) for layer in layers])
        axes.set_xlabel("layer", fontsize=9)
    panels[0].axhline(0.5, color="black", linewidth=0.8)
    panels[0].set_ylim(0, 1)
    panels[0].set_title("share of alternatives that beat the standard route", loc="left", **plain_text(9.5))
    panels[1].set_ylim(bottom=0)
    panels[1].set_title("regret: best alternative - standard route (nats)", loc="left", **plain_text(9.5))
    panels[1].legend(frameon=False, fontsize=9)
    _titled(figure, second[0], "Routes of equal cost, by depth")
    return figure


def picture_of(figure: Figure) -> bytes:
    """A figure as a PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def _line(axes: Axes, places: dict[float, int], members: Sequence[Found], statistic: str, **look: Any) -> None:
    style_axes(axes)
    shown = [one for one in members if one.finding.n_tokens >= _FEWEST]
    _points(axes, [places[one.up_to] for one in shown], shown, statistic, **look)


def _points(
    axes: Axes, x: Sequence[int], members: Sequence[Found], statistic: str, *, band: bool = False, **look: Any
) -> None:
    estimates = [_flipped(one["placebo_rank"]) if statistic == _PLACEBO_BEATEN else one[statistic] for one in members]
    axes.plot(x, [estimate.value for estimate in estimates], markersize=4.5, linewidth=1.6, **look)
    if band:
        low, high = (np.array([getattr(e, end) for e in estimates], float) for end in ("low", "high"))
        axes.fill_between(x, low, high, color=look["color"], alpha=0.18, linewidth=0)


def _flipped(rank: Estimate) -> Estimate:
    """The share that beats it."""
    return replace(rank, value=1 - rank.value, low=1 - rank.high, high=1 - rank.low)


def _name_bins(axes: Axes, bins: Sequence[Found]) -> None:
    ends = [bins[0].above, *(one.up_to for one in bins)]
    axes.set_xticks(
        np.arange(len(ends)) - 0.5, [f"{end:g}" for end in ends], rotation=60, ha="right", rotation_mode="anchor"
    )
    axes.set_xlim(-0.6, len(bins) - 0.4)
    axes.set_xlabel("probability of the written token", fontsize=9)


def _titled(figure: Figure, one: Found, title: str) -> None:
    tau = "" if one.tau is None else f", tau {one.tau:g}"
    where = "" if "depth" in title else f"layer {one.layer}; "
    figure.suptitle(title, **plain_text(12))
    note = f"{where}{one.n_alternatives} alternatives by {drawable(one.scheme, 40)}{tau}; 95 % intervals over problems"
    figure.supxlabel(note, color="#777777", **plain_text(8))
