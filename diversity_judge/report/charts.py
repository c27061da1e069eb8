"""The charts of the page, as plotly's JSON: data and axes here, colours of text and grid in the page's script.

Plotly reads a little markup in names (`<b>`, `<a>`): strangers' names are escaped on the way in.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from diversity_judge.comparing.group_measures import SENSITIVITY_THRESHOLDS, GroupMeasures, pass_at_largest
from diversity_judge.comparing.outcome_table import TIERS, PanelBar, panel_bars
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, DifferenceRow, OutcomeRow
from diversity_judge.drawing.look import look_of
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, p_value

Json = dict[str, Any]
"""What plotly takes: JSON by nature."""

_NAME_LENGTH = 40
_DODGE = 0.17


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        name: Of its place on the page.
        title: Above it.
        caption: Below it: what is shown, n, and which interval.
        data: Plotly's traces; `meta` names the strategy that a trace belongs to.
        layout: Plotly's layout, without colours.
    """

    name: str
    title: str
    caption: str
    data: list[Json]
    layout: Json = field(default_factory=dict)


def charts(comparison: Comparison) -> list[Chart]:
    """All charts that the comparison has data for."""
    made = [
        _diversity(comparison),
        _differences(comparison),
        _diversity_and_pass(comparison),
        _approaches(comparison),
        *_pass_curves(comparison),
        *_panel(comparison),
    ]
    return [chart for chart in made if chart.data]


def safe(text: str) -> str:
    """A stranger's name for plotly: one line, no markup."""
    return html.escape(printable(text, _NAME_LENGTH), quote=False)


def _diversity(comparison: Comparison) -> Chart:
    data: list[Json] = []
    rows = comparison.process.where(metric="diversity")
    for place, row in enumerate(rows):
        judged = [g for g in comparison.groups if g.strategy == row.strategy and g.process is not None]
        dots = _marks(comparison, row.strategy, [place - _DODGE] * len(judged), [_diversity_of(g) for g in judged])
        dots["marker"] |= {"size": 6, "opacity": 0.4}
        dots |= _links(comparison, judged)
        mean = _marks(comparison, row.strategy, [place + _DODGE], [row.value])
        mean["error_y"] = _error(row.value, row.ci_low, row.ci_high)
        mean["hovertemplate"] = f"mean {interval(row.value, row.ci_low, row.ci_high)}<extra></extra>"
        data += [dots, mean]
    axis = _categories([(row.strategy, row.n_problems) for row in rows])
    layout = {"xaxis": axis, "yaxis": {"title": {"text": "process diversity"}, "range": [-0.02, 1.02]}}
    caption = "Dots: problems (click one to go there). Large marks: means over n problems with 95 % intervals."
    return Chart("diversity", "Process diversity of each strategy", caption, data, layout)


def _differences(comparison: Comparison) -> Chart:
    rows = comparison.differences.where(metric="diversity")
    data = []
    for place, row in enumerate(rows):
        mark = _marks(comparison, row.strategy, [row.difference], [place])
        mark["error_x"] = _error(row.difference, row.ci_low, row.ci_high)
        shown = interval(row.difference, row.ci_low, row.ci_high)
        mark["hovertemplate"] = f"{shown}, {_p(row)}<extra></extra>"
        data.append(mark)
    ticks = [f"{safe(row.strategy)}<br>n = {row.n_problems}" for row in rows]
    layout = {
        "yaxis": {
            "tickvals": list(range(len(rows))),
            "ticktext": ticks,
            "range": [len(rows) - 0.5, -0.5],
            "automargin": True,
        },
        "xaxis": {"title": {"text": "difference in diversity"}, "zeroline": True, "zerolinewidth": 2},
    }
    title = f"More or less diverse than {printable(comparison.baseline, _NAME_LENGTH)}"
    return Chart("differences", title, "Paired on n problems, 95 % intervals.", data, layout)


def _approaches(comparison: Comparison) -> Chart:
    chosen = comparison.options.thresholds.approach
    thresholds = sorted({chosen, *SENSITIVITY_THRESHOLDS})
    names = [metric.name for metric in comparison.metrics if metric.name.startswith("approaches")]
    data = []
    for strategy in comparison.strategies:
        rows = [row for name in names for row in comparison.process.where(strategy=strategy, metric=name)]
        points = sorted((chosen if r.metric == "approaches" else float(r.metric.rpartition("_")[2]), r) for r in rows)
        if points:
            line = _marks(comparison, strategy, [t for t, _ in points], [r.value for _, r in points])
            errors = [_error(r.value, r.ci_low, r.ci_high) for _, r in points]
            line["error_y"] = errors[0] | {name: [e[name][0] for e in errors] for name in ("array", "arrayminus")}
            line |= _named(strategy, points[0][1].n_problems) | {"mode": "lines+markers"}
            data.append(line)
    layout = {
        "xaxis": {"title": {"text": "joined at this similarity or more"}, "tickvals": thresholds},
        "yaxis": {"title": {"text": "distinct approaches a problem"}, "rangemode": "tozero"},
    }
    caption = f"The tables use {chosen:g}. Means over n problems with 95 % intervals."
    return Chart("approaches", "Distinct approaches by threshold", caption, data, layout)


def _pass_curves(comparison: Comparison) -> Iterator[Chart]:
    for tier in TIERS:
        rows = comparison.outcomes.where(metric="pass_at_k", tier=tier)
        data: list[Json] = []
        for strategy in comparison.strategies:
            curve = [row for row in rows if row.strategy == strategy]
            if curve:
                data += _curve(comparison, curve)
        sizes = sorted({row.k for row in rows})
        ticks = {"tickvals": sizes, "ticktext": [str(size) for size in sizes]}
        layout = {
            "xaxis": {"type": "log", "title": {"text": "responses n"}, **ticks},
            "yaxis": {"title": {"text": "pass@n"}, "range": [-0.02, 1.02], "tickformat": ".0%"},
        }
        where = "all problems" if tier == ALL_TIERS else f"{tier} problems"
        caption = f"Unbiased estimate; bands: 95 % over problems.{_tier_note(comparison, tier)}"
        yield Chart(f"pass-{tier.lower()}", f"pass@n, {where}", caption, data, layout)


def _diversity_and_pass(comparison: Comparison) -> Chart:
    points = [(group, found[1]) for group in comparison.groups if (found := pass_at_largest(group)) is not None]
    strategies = [s for s in comparison.strategies if any(group.strategy == s for group, _ in points)]
    data = []
    for place, strategy in enumerate(strategies):
        shift = 0.012 * (place - (len(strategies) - 1) / 2)
        mine = [(group, value) for group, value in points if group.strategy == strategy]
        members = [group for group, _ in mine]
        dots = _marks(comparison, strategy, [_diversity_of(g) for g in members], [value + shift for _, value in mine])
        dots["marker"] |= {"size": 8, "opacity": 0.65}
        data.append(dots | _links(comparison, members) | _named(strategy, len(mine)))
    sizes = sorted({found[0] for group, _ in points if (found := pass_at_largest(group))})
    layout = {
        "xaxis": {"title": {"text": "process diversity"}, "range": [-0.02, 1.02]},
        "yaxis": {
            "title": {"text": f"pass@N, N = {', '.join(map(str, sizes))}"},
            "range": [-0.08, 1.08],
            "tickformat": ".0%",
        },
    }
    caption = "A point a problem (click one to go there); strategies are shifted a little up or down to stay visible."
    return Chart("diversity-and-pass", "Diversity and solved problems", caption, data, layout)


def _panel(comparison: Comparison) -> Iterator[Chart]:
    bars = panel_bars(comparison.groups, comparison.strategies, comparison.tiers)
    for number, (tier, title) in enumerate(dict.fromkeys((bar.tier, bar.title) for bar in bars)):
        mine = [bar for bar in bars if (bar.tier, bar.title) == (tier, title)]
        data = [_bar(comparison, place, bar) for place, bar in enumerate(mine)]
        axis = _categories([(bar.strategy, bar.estimate.n) for bar in mine])
        caption = f"Means over n problems, 95 % intervals.{_tier_note(comparison, tier)}"
        layout = {"xaxis": axis, "yaxis": {"range": [0, 1.05]}}
        yield Chart(f"panel-{number}", f"{tier}: {title}", caption, data, layout)


def _bar(comparison: Comparison, place: int, bar: PanelBar) -> Json:
    estimate = bar.estimate
    return {
        "type": "bar",
        "meta": bar.strategy,
        "x": [place],
        "y": [estimate.value],
        "width": [0.65],
        "marker": {"color": look_of(comparison.strategies, bar.strategy).colour, "opacity": 0.75},
        "error_y": _error(estimate.value, estimate.low, estimate.high),
        "hovertemplate": f"{interval(estimate.value, estimate.low, estimate.high)}<extra></extra>",
        "showlegend": False,
    }


def _curve(comparison: Comparison, curve: Sequence[OutcomeRow]) -> list[Json]:
    strategy, sizes = curve[0].strategy, [row.k for row in curve]
    line = _marks(comparison, strategy, sizes, [row.value for row in curve])
    intervals = [interval(row.value, row.ci_low, row.ci_high) for row in curve]
    line |= {"text": intervals, "hovertemplate": "pass@%{x}: %{text}", "mode": "lines+markers"}
    line |= _named(strategy, curve[0].n_problems)
    if any(math.isnan(row.ci_low) for row in curve):
        return [line]
    band = {
        "type": "scatter",
        "meta": strategy,
        "x": [*sizes, *reversed(sizes)],
        "y": [*(row.ci_high for row in curve), *(row.ci_low for row in reversed(curve))],
        "fill": "toself",
        "fillcolor": _transparent(look_of(comparison.strategies, strategy).colour),
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return [band, line]


def _marks(comparison: Comparison, strategy: str, x: Sequence[float], y: Sequence[float]) -> Json:
    look = look_of(comparison.strategies, strategy)
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": strategy,
        "x": list(x),
        "y": list(y),
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 9},
        "line": {"color": look.colour},
        "showlegend": False,
    }


def _named(strategy: str, n: int) -> Json:
    return {"name": f"{safe(strategy)} (n = {n})", "showlegend": True}


def _links(comparison: Comparison, groups: Sequence[GroupMeasures]) -> Json:
    """Which problem a dot stands for, for hovering and clicking."""
    return {
        "customdata": [comparison.problems.index(group.problem_id) for group in groups],
        "text": [f"{safe(group.problem_id)} / {safe(group.strategy)}: {_diversity_of(group):.2f}" for group in groups],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _categories(names: Sequence[tuple[str, int]]) -> Json:
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [f"{safe(name)}<br>n = {n}" for name, n in names],
        "range": [-0.6, len(names) - 0.4],
        "automargin": True,
    }


def _error(value: float, low: float, high: float) -> Json:
    if math.isnan(low):
        return {"visible": False, "array": [0], "arrayminus": [0]}
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, high - value)],
        "arrayminus": [max(0.0, value - low)],
        "thickness": 1.5,
        "width": 4,
    }


def _p(row: DifferenceRow) -> str:
    return row.verdict if math.isnan(row.p_holm) else f"{p_value(row.p_holm)} after Holm"


def _diversity_of(group: GroupMeasures) -> float:
    return group.process.diversity.value if group.process else math.nan


def _tier_note(comparison: Comparison, tier: str) -> str:
    if tier == ALL_TIERS or not comparison.tiers:
        return ""
    return f" Tiers from {printable(comparison.tier_strategy, _NAME_LENGTH)}."


def _transparent(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"
