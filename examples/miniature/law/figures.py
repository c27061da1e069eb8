"""The figures of the law: the gain against the entropy, the gain as a surface, and the frontier of hotter tokens."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from diversity_judge.drawing.axes import ShownFigure, plain_text, style_axes
from diversity_judge.drawing.look import look_of
from examples.miniature.law.effects import Effects
from examples.miniature.law.fit import Fitted
from examples.miniature.law.frontier import Place, Point
from examples.miniature.law.grid import Cell, TaskGrid

DEFAULT = "default"
"""The setting that is drawn in full; the others are drawn small."""
DPI = 150
_GREY = "#777777"
_NARROWEST = 6.4
"""Inches: a title has to fit."""
_BAND = 0.15
_POINTS = 60
_METRIC_WORDS = {"pass_at_1": "pass@1", "pass_at_n": "pass@{n}"}
_LABEL_POINTS = {"pass_at_1": 6, "pass_at_n": -12}
"""How far above a cell of the tokens alone its temperature stands.

Expert-Sample lies below the tokens' curve in pass@1, above it in pass@n: the temperatures stand opposite.
"""


def gain_figure(effects: Effects, law: Fitted, general: Fitted) -> Figure:
    """Gain in diversity against the entropy of the tokens alone: a colour a router, the law through each.

    Args:
        effects: Of all tasks.
        law: Fitted to the diversity.
        general: Another form, drawn dashed; the law itself where no other is to be drawn.
    """
    tasks, routers = _in_order(effects.cells, "task"), _in_order(effects.cells, "router")
    figure = ShownFigure(figsize=(max(3.4 * len(tasks) + 1.0, _NARROWEST), 4.6), layout="constrained")
    (panels,) = figure.subplots(1, len(tasks), squeeze=False, sharey=True)
    for axes, task in zip(panels, tasks, strict=True):
        style_axes(axes)
        axes.axhline(0, color=_GREY, linewidth=1)
        for router in routers:
            look = look_of(routers, router)
            for setting in _in_order(effects.cells, "setting"):
                mine = _chosen(effects.cells, router=router, task=task, setting=setting)
                if len(mine):
                    _gains(axes, effects, mine, look.colour, look.marker, is_full=setting == DEFAULT)
            mine = _chosen(effects.cells, router=router, task=task, setting=DEFAULT)
            if len(mine):
                _law_line(axes, effects, law, mine, look.colour)
                if general is not law:
                    _law_line(axes, effects, general, mine, look.colour, style="--")
        axes.set_xlabel("entropy of the next token, tokens alone (nats)", **plain_text(9))
        axes.set_title(f"task {task}", **plain_text(10))
    panels[0].set_ylabel("diversity that Expert-Sample adds", **plain_text(9))
    note = "large: defaults, with 95 % intervals over problems; small: other settings\nlines and bands: the fitted law"
    if general is not law:
        note += f"; dashed: {general.form.name}, under the defaults"
    _legend(figure, [_router_mark(effects, routers, router) for router in routers], note)
    figure.suptitle("What Expert-Sample adds, by what the tokens alone leave open", **plain_text(11))
    return figure


def surface_figure(effects: Effects, law: Fitted) -> Figure:
    """The fitted gain over both numbers, with the measured cells on it in the same colours.

    Args:
        effects: Of all tasks.
        law: Fitted to the diversity.
    """
    data = effects.data["diversity"]
    weight, entropy = data.weight[0], data.entropy[0]
    ws, hs = np.linspace(0, 1.08 * weight.max(), 121)[1:], np.linspace(0, 1.05 * entropy.max(), 120)
    grid_w, grid_h = np.meshgrid(ws, hs)
    fitted = law.at(grid_w.ravel(), grid_h.ravel())[0].reshape(grid_w.shape)
    top = max(float(data.gain[0].max()), 0.01)
    figure = ShownFigure(figsize=(6.6, 4.8), layout="constrained")
    axes = figure.subplots()
    image = axes.pcolormesh(
        grid_h, grid_w, fitted, vmin=0, vmax=top, cmap="viridis", shading="gouraud", rasterized=True
    )
    lines = axes.contour(grid_h, grid_w, fitted, levels=[0.01, 0.03, 0.1], colors="white", linewidths=1)
    axes.clabel(lines, fmt="%.2f", fontsize=8)
    for task in _in_order(effects.cells, "task"):
        mine = _chosen(effects.cells, task=task)
        marker = look_of(_in_order(effects.cells, "task"), task).marker
        axes.scatter(
            entropy[mine], weight[mine], c=data.gain[0][mine], cmap="viridis", vmin=0, vmax=top, marker=marker,
            edgecolors="white", linewidths=0.9, s=44, label=f"task {task}",
        )  # fmt: skip
    figure.colorbar(image, ax=axes, label="diversity that Expert-Sample adds")
    axes.set_xlabel("entropy of the next token, tokens alone (nats)", **plain_text(9))
    axes.set_ylabel("weight on new experts", **plain_text(9))
    axes.set_title("The fitted law, and on it what was measured", **plain_text(11))
    marks = [
        Line2D([], [], color=_GREY, marker=look_of(_in_order(effects.cells, "task"), task).marker, linestyle="none",
               label=f"measured, task {task}")
        for task in _in_order(effects.cells, "task")
    ]  # fmt: skip
    _legend(figure, marks)
    return figure


def frontier_figure(grid: TaskGrid, points: Sequence[Point]) -> Figure:
    """Solved problems against diversity on one task: the tokens' curve with its temperatures, and Expert-Sample.

    Args:
        grid: The task.
        points: Of the frontier: what is surely above it is drawn filled.
    """
    above = {(p.metric, p.cell) for p in points if p.equal == "diversity" and p.place is Place.ABOVE}
    routers = _in_order(grid.cells, "router")
    figure = ShownFigure(figsize=(max(3.3 * len(routers) + 0.8, _NARROWEST), 6.8), layout="constrained")
    panels = figure.subplots(2, len(routers), squeeze=False, sharex=True, sharey="row")
    means = {metric: np.nanmean(grid.values[metric], axis=0) for metric in ("diversity", *_METRIC_WORDS)}
    for column, router in enumerate(routers):
        for row, metric in enumerate(_METRIC_WORDS):
            axes = panels[row][column]
            style_axes(axes)
            filled = {cell for its_metric, cell in above if its_metric == metric}
            place = (means["diversity"], means[metric])
            _frontier_panel(axes, grid.cells, router, place, filled, _LABEL_POINTS[metric])
            axes.margins(0.08, 0.12)
            axes.yaxis.set_major_formatter(FuncFormatter(_percent))
        panels[0][column].set_title(f"router {router}", **plain_text(10))
        panels[1][column].set_xlabel("process diversity", **plain_text(9))
    for row, words in enumerate(_METRIC_WORDS.values()):
        panels[row][0].set_ylabel(words.format(n=grid.n), **plain_text(9))
    tokens, expert = look_of(_STRATEGIES, "tokens"), look_of(_STRATEGIES, "expert")
    hollow: dict[str, Any] = {
        "color": expert.colour,
        "marker": expert.marker,
        "linestyle": "none",
        "markerfacecolor": "white",
    }
    marks = [
        Line2D([], [], color=tokens.colour, marker=tokens.marker, label="tokens alone, by temperature"),
        Line2D([], [], **hollow, label="Expert-Sample, defaults"),
        Line2D([], [], **hollow, markersize=4, label="other settings"),
    ]
    note = (
        "arrows: from the tokens alone to Expert-Sample at the same temperature\nfilled: surely above the tokens' curve"
    )
    _legend(figure, marks, note)
    title = f"Expert-Sample beside hotter tokens, task {grid.task}, {len(grid.problems)} problems"
    figure.suptitle(title, **plain_text(11))
    return figure


_STRATEGIES = ("tokens", "expert")


def _frontier_panel(
    axes: Axes,
    cells: Sequence[Cell],
    router: str,
    place: tuple[NDArray[np.float64], NDArray[np.float64]],
    filled: AbstractSet[Cell],
    label_points: int,
) -> None:
    """One router: where each cell lies (diversity, solved), those surely above filled, the tokens' temperatures."""
    x, y = place
    tokens, expert = look_of(_STRATEGIES, "tokens"), look_of(_STRATEGIES, "expert")
    alone = sorted(_chosen(cells, router=router, setting=""), key=lambda i: cells[i].temperature)
    axes.plot(x[alone], y[alone], color=tokens.colour, marker=tokens.marker, markersize=5)
    for i in alone:
        label = f"T {cells[i].temperature:g}"
        axes.annotate(
            label,
            (x[i], y[i]),
            (0, label_points),
            textcoords="offset points",
            ha="center",
            color=_GREY,
            fontsize=7,
        )
    beside = {cells[i].tokens: i for i in alone}
    for i in _chosen(cells, router=router):
        if cells[i].setting:
            is_full = cells[i].setting == DEFAULT
            if is_full and cells[i].tokens in beside:
                start = beside[cells[i].tokens]
                arrow = {"arrowstyle": "->", "color": expert.colour, "linewidth": 1.0, "shrinkA": 2, "shrinkB": 3}
                axes.annotate("", (x[i], y[i]), (x[start], y[start]), arrowprops=arrow)
            inside = expert.colour if cells[i] in filled else "white"
            size = 5.5 if is_full else 3.5
            axes.plot(x[i], y[i], expert.marker, color=expert.colour, markersize=size, markerfacecolor=inside)


def _gains(axes: Axes, effects: Effects, mine: NDArray[np.intp], colour: str, marker: str, *, is_full: bool) -> None:
    estimates = [effects.estimates["diversity"][i] for i in mine]
    x, y = effects.data["diversity"].entropy[0][mine], [e.value for e in estimates]
    if is_full:
        spread = [[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]]
        axes.errorbar(x, y, yerr=spread, fmt=marker, color=colour, markersize=6, capsize=2, elinewidth=1.2)
    else:
        axes.plot(x, y, marker, color=colour, markersize=3, alpha=0.6, markeredgewidth=0)


def _law_line(
    axes: Axes, effects: Effects, law: Fitted, mine: NDArray[np.intp], colour: str, *, style: str = "-"
) -> None:
    """The law along a router's cells, a full line with its band; between two cells its weight is interpolated."""
    data = effects.data["diversity"]
    order = mine[np.argsort(data.entropy[0][mine])]
    x = np.linspace(data.entropy[0][order[0]], data.entropy[0][order[-1]], _POINTS)
    fitted = law.at(np.interp(x, data.entropy[0][order], data.weight[0][order]), x)
    axes.plot(x, fitted[0], color=colour, linewidth=1.4, linestyle=style)
    if style != "-":
        return
    low, high = np.quantile(fitted[1:], (0.025, 0.975), axis=0)
    axes.fill_between(x, low, high, color=colour, alpha=_BAND, linewidth=0)


def _router_mark(effects: Effects, routers: Sequence[str], router: str) -> Line2D:
    look = look_of(routers, router)
    shares = [cell.new_share for cell in effects.cells if cell.router == router and cell.setting == DEFAULT]
    label = f"{router}: weight {np.mean(shares):.3f}" if shares else router
    return Line2D([], [], color=look.colour, marker=look.marker, label=label)


def _percent(share: float, _: int) -> str:
    """A tick of a share, in as many digits as tell it from its neighbours a tenth of a percent apart."""
    return f"{100 * share:.3g}%"


def _legend(figure: Figure, marks: Sequence[Line2D], note: str = "") -> None:
    """The marks, below a note of how to read them."""
    legend = figure.legend(handles=list(marks), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    legend.set_title(note, FontProperties(size=8))
    legend.get_title().set_color("#555555")
    legend.get_title().set_multialignment("center")


def _in_order(cells: Sequence[Cell], name: str) -> list[str]:
    """The values of a cell's name, by the weight on new experts that they have under the defaults, then by name."""
    weights: dict[str, list[float]] = {}
    for cell in cells:
        weights.setdefault(str(getattr(cell, name)), []).append(cell.new_share)
    if name != "router":
        return list(weights)
    return sorted(weights, key=lambda value: (max(weights[value]), value))


def _chosen(cells: Sequence[Cell], **wanted: str) -> NDArray[np.intp]:
    """Places of the cells with these names."""
    found = [i for i, cell in enumerate(cells) if all(getattr(cell, name) == value for name, value in wanted.items())]
    return np.array(found, dtype=np.intp)
