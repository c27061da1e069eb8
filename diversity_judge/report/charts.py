"""The charts of the page: rows of dots with a mean beside them, and small panels, one a strategy.

Strategies never lie on one another: each has a row or a panel of its own, and in a panel the baseline is a dashed
line to compare with. So no legend is needed, and none can lie on the data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from diversity_judge.comparing.group_measures import SENSITIVITY_THRESHOLDS, GroupMeasures
from diversity_judge.comparing.outcome_table import TIERS, panel_bars
from diversity_judge.comparing.payoff import Gain, gains
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS, DifferenceRow, OutcomeRow, ProcessRow
from diversity_judge.display import counted
from diversity_judge.drawing.look import Look, look_of
from diversity_judge.drawing.swarm import swarm
from diversity_judge.report import svg
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, p_value

_NAME_LENGTH = 40
_SHARE = svg.linear_axis(0, 1)
_PERCENT = svg.linear_axis(0, 1, percent=True, most=5)
# Sizes in pixels of a picture that is shown at its own size; the page makes it a little smaller or larger.
_WIDTH, _SIDE = 460.0, 16.0
_ROW, _LOW_ROW, _FOOT = 62.0, 40.0, 40.0
_PANEL = (230.0, 180.0)
_PANEL_LEFT, _PANEL_TOP, _PANEL_RIGHT, _PANEL_FOOT = 44.0, 8.0, 12.0, 38.0


@dataclass(frozen=True)
class Panel:
    """A picture of a chart.

    Attributes:
        strategy: Number of the strategy that it is of; None: of several.
        note: Beside its name: on how many problems it rests.
        picture: SVG.
    """

    strategy: int | None
    note: str
    picture: str


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        name: Of its place on the page.
        title: Above it.
        caption: Below it: what is shown, and which interval.
        panels: Its pictures.
        tier: The tier whose problems it is of; empty for all.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    tier: str = ""


@dataclass(frozen=True)
class _Row:
    """A strategy's row: its estimate, and the problems that it is of as (value, number, what to say)."""

    strategy: str
    note: str
    value: float
    low: float
    high: float
    tip: str
    dots: Sequence[tuple[float, int, str]] = ()


def charts(comparison: Comparison) -> tuple[Chart, ...]:
    """All charts that the comparison has data for."""
    made = [
        _diversity(comparison),
        _differences(comparison),
        *_pass_curves(comparison),
        _gains(comparison),
        _approaches(comparison),
        *_three_tiers(comparison),
    ]
    return tuple(chart for chart in made if chart.panels)


def _diversity(comparison: Comparison) -> Chart:
    rows = []
    for row in comparison.process.where(metric="diversity"):
        judged = [g for g in comparison.groups if g.strategy == row.strategy and not math.isnan(_diversity_of(g))]
        dots = [(_diversity_of(g), *_link(comparison, g, f"{_diversity_of(g):.2f}")) for g in judged]
        rows.append(_row(row.strategy, row.value, row.ci_low, row.ci_high, row.n_problems, dots))
    caption = (
        "Dots: problems, heaped where they are alike (click one to go there). Below them: mean over problems with its "
        "95 % interval."
    )
    panels = _rows(comparison, rows, _SHARE, "process diversity")
    return Chart("diversity", "Process diversity of each strategy", caption, panels)


def _differences(comparison: Comparison) -> Chart:
    found = comparison.differences.where(metric="diversity")
    rows = [
        _row(row.strategy, row.difference, row.ci_low, row.ci_high, row.n_problems, (), f", {_p(row)}", signed=True)
        for row in found
    ]
    ends = [end for row in found for end in (row.difference, row.ci_low, row.ci_high) if not math.isnan(end)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.06 * ((high - low) or 1.0)
    axis = svg.linear_axis(low - room, high + room)
    title = f"More or less diverse than {printable(comparison.baseline, _NAME_LENGTH)}"
    caption = "Difference in diversity, paired on the problems that both have, with its 95 % interval; p after Holm."
    return Chart("differences", title, caption, _rows(comparison, rows, axis, "difference in diversity"))


def _approaches(comparison: Comparison) -> Chart:
    chosen = comparison.options.thresholds.approach
    thresholds = sorted({chosen, *SENSITIVITY_THRESHOLDS})
    names = {f"approaches_at_{threshold:g}": threshold for threshold in thresholds} | {"approaches": chosen}
    curves: dict[str, list[tuple[float, ProcessRow]]] = {}
    for row in comparison.process:
        if row.metric in names:
            curves.setdefault(row.strategy, []).append((names[row.metric], row))
    points = {
        strategy: [
            _Point(t, row.value, row.ci_low, row.ci_high, f"joined at {t:g}: {_shown(row, 2)}")
            for t, row in sorted(found, key=lambda pair: pair[0])
        ]
        for strategy, found in curves.items()
    }
    notes = {strategy: counted(found[0][1].n_problems, "problem") for strategy, found in curves.items()}
    highest = max((p.high for found in points.values() for p in found if not math.isnan(p.high)), default=1.0)
    highest = max(highest, *(p.value for found in points.values() for p in found), 1.0) if points else 1.0
    room = 0.15 * (thresholds[-1] - thresholds[0])
    labels = [f"{threshold:g}" for threshold in thresholds]
    x = svg.Axis(thresholds[0] - room, thresholds[-1] + room, thresholds, labels)
    panels = _curves(comparison, points, notes, x, svg.linear_axis(0, highest), "similarity that joins")
    caption = f"Means over problems with 95 % intervals; the tables use {chosen:g}.{_dashed(comparison, points)}"
    return Chart("approaches", "Distinct approaches a problem, by threshold", caption, panels)


def _pass_curves(comparison: Comparison) -> Iterator[Chart]:
    for tier in TIERS:
        rows = comparison.outcomes.where(metric="pass_at_k", tier=tier)
        curves: dict[str, list[OutcomeRow]] = {}
        for row in rows:
            curves.setdefault(row.strategy, []).append(row)
        points = {
            strategy: [_Point(r.k, r.value, r.ci_low, r.ci_high, f"pass@{r.k}: {_shown(r)}") for r in curve]
            for strategy, curve in curves.items()
        }
        notes = {strategy: counted(curve[0].n_problems, "problem") for strategy, curve in curves.items()}
        sizes = sorted({row.k for row in rows}) or [1]
        x = svg.Axis(sizes[0], max(sizes[-1], 2), sizes, spread_labels(sizes), is_log=True)
        panels = _curves(comparison, points, notes, x, _PERCENT, "responses", has_band=True)
        where = "all problems" if tier == ALL_TIERS else f"{tier} problems"
        caption = f"Unbiased estimate; band: its 95 % interval over problems.{_dashed(comparison, points)}"
        name = "" if tier == ALL_TIERS else tier
        yield Chart(f"pass-{tier.lower()}", f"Solved by one of n responses (pass@n), {where}", caption, panels, name)


def _gains(comparison: Comparison) -> Chart:
    k, found = gains(comparison.groups)
    y = svg.linear_axis(-0.12, 1, percent=True, most=5)  # room below 0 for a heap of dots
    panels = []
    for number, strategy in enumerate(comparison.strategies):
        mine = [gain for gain in found if gain.group.strategy == strategy]
        if mine:
            picture, place, across, up = frame(_SHARE, y, "process diversity", strategy)
            for gain, moved in zip(mine, _moved(mine), strict=True):
                said = f"{gain.diversity:.2f}, pass@1 {gain.first:.0%}, pass@{k} {gain.last:.0%}"
                problem, tip = _link(comparison, gain.group, said)
                centre = (across(gain.diversity), up(gain.value) - moved)
                svg.dot(place, *centre, _look(comparison, strategy).colour, tip, problem, is_hollow=gain.has_no_room)
            panels.append(Panel(number, counted(len(mine), "problem"), svg.markup(picture)))
    caption = (
        f"A dot a problem (click one to go there): up, what {k} samples solve beyond one, pass@{k} - pass@1. Hollow: "
        "nothing to gain, as all responses are right or none is. Dots of the same values are moved apart."
    )
    return Chart("diversity-and-pass", "Diversity, and what more samples bring", caption, tuple(panels))


def _moved(found: Sequence[Gain]) -> list[float]:
    """How far dots of one strategy are moved up or down, in pixels, so that none hides another."""
    moved = [0.0] * len(found)
    levels: dict[int, list[int]] = {}
    for place, gain in enumerate(found):
        levels.setdefault(round(gain.value * 20), []).append(place)
    for places in levels.values():
        offsets = swarm([found[place].diversity for place in places], width=0.035, most=2.5)
        for place, offset in zip(places, offsets, strict=True):
            moved[place] = offset * svg.DOT * 1.4
    return moved


def _three_tiers(comparison: Comparison) -> Iterator[Chart]:
    bars = panel_bars(comparison.groups, comparison.strategies, comparison.tiers)
    for number, (tier, title) in enumerate(dict.fromkeys((bar.tier, bar.title) for bar in bars)):
        mine = [bar for bar in bars if (bar.tier, bar.title) == (tier, title)]
        rows = [_row(b.strategy, b.estimate.value, b.estimate.low, b.estimate.high, b.estimate.n) for b in mine]
        caption = "Means over the problems of this tier with 95 % intervals."
        yield Chart(
            f"tier-{number}", f"{tier} problems: {title}", caption, _rows(comparison, rows, _SHARE, title), tier
        )


@dataclass(frozen=True)
class _Point:
    """A point of a curve with its interval."""

    x: float
    value: float
    low: float
    high: float
    tip: str


def _row(
    strategy: str,
    value: float,
    low: float,
    high: float,
    n: int,
    dots: Sequence[tuple[float, int, str]] = (),
    more: str = "",
    *,
    signed: bool = False,
) -> _Row:
    shown = interval(value, low, high, signed=signed)
    note = f"{shown}, {counted(n, 'problem')}{more}"
    return _Row(strategy, note, value, low, high, f"{printable(strategy, _NAME_LENGTH)}: {note}", dots)


def _rows(comparison: Comparison, rows: Sequence[_Row], axis: svg.Axis, label: str) -> tuple[Panel, ...]:
    """A row a strategy: its name and numbers, its problems, and below them the estimate."""
    if not rows:
        return ()
    height = _ROW if any(row.dots for row in rows) else _LOW_ROW
    bottom = height * len(rows)
    picture = svg.canvas(_WIDTH, bottom + _FOOT, label)
    across = axis.scale(_SIDE, _WIDTH - _SIDE)
    for tick, said in zip(axis.ticks, axis.labels, strict=True):
        is_zero = math.isclose(tick, 0.0, abs_tol=1e-9) and axis.low < 0
        svg.line(picture, (across(tick), 0), (across(tick), bottom), "zero" if is_zero else "grid")
        svg.words(picture, across(tick), bottom + 15, said, "middle")
    svg.words(picture, _WIDTH / 2, bottom + 33, label, "middle")
    for number, row in enumerate(rows):
        place = svg.group(picture, **{"data-strategy": str(comparison.strategies.index(row.strategy))})
        _draw_row(place, row, _look(comparison, row.strategy), across, number * height, height)
    return (Panel(None, "", svg.markup(picture)),)


def _draw_row(place: Element, row: _Row, look: Look, across: svg.Scale, top: float, height: float) -> None:
    svg.words(place, _SIDE, top + 13, printable(row.strategy, 22), "start", "name")
    svg.words(place, _WIDTH - _SIDE, top + 13, row.note, "end", "words halo")
    middle, width = top + 34, 2 * svg.DOT / abs(across(1) - across(0))
    offsets = swarm([value for value, _, _ in row.dots], width=width, most=2.6)
    for (value, problem, tip), offset in zip(row.dots, offsets, strict=True):
        svg.dot(place, across(value), middle + offset * svg.DOT * 1.7, look.colour, tip, problem)
    at = top + height - 11
    svg.whisker(place, (across(row.low), across(row.high)), at, is_level=True)
    svg.mark(place, across(row.value), at, look.colour, look.symbol, row.tip)


def _curves(
    comparison: Comparison,
    curves: dict[str, list[_Point]],
    notes: dict[str, str],
    x: svg.Axis,
    y: svg.Axis,
    label: str,
    *,
    has_band: bool = False,
) -> tuple[Panel, ...]:
    """A panel a strategy, the baseline dashed in the others."""
    panels = []
    for number, strategy in enumerate(comparison.strategies):
        if strategy not in curves:
            continue
        points, look = curves[strategy], _look(comparison, strategy)
        picture, place, across, up = frame(x, y, label, strategy)
        if strategy != comparison.baseline and comparison.baseline in curves:
            reference = [(across(p.x), up(p.value)) for p in curves[comparison.baseline]]
            svg.curve(place, reference, "currentColor", "reference")
        known = [p for p in points if not math.isnan(p.low)]
        if has_band and known:
            upper, lower = ([(across(p.x), up(end(p))) for p in known] for end in (_high, _low))
            svg.band(place, upper, lower, look.colour)
        svg.curve(place, [(across(p.x), up(p.value)) for p in points], look.colour, "curve")
        for point in points:
            if not has_band:
                svg.whisker(place, (up(point.low), up(point.high)), across(point.x), is_level=False)
            svg.mark(place, across(point.x), up(point.value), look.colour, look.symbol, point.tip)
        panels.append(Panel(number, notes[strategy], svg.markup(picture)))
    return tuple(panels)


def frame(x: svg.Axis, y: svg.Axis, label: str, strategy: str) -> tuple[Element, Element, svg.Scale, svg.Scale]:
    """An empty panel: the picture, the place for marks, and its two scales."""
    width, height = _PANEL
    picture = svg.canvas(width, height, f"{printable(strategy, _NAME_LENGTH)}, by {label}")
    right, foot = width - _PANEL_RIGHT, height - _PANEL_FOOT
    across, up = x.scale(_PANEL_LEFT, right), y.scale(foot, _PANEL_TOP)
    for tick, said in zip(y.ticks, y.labels, strict=True):
        svg.line(picture, (_PANEL_LEFT, up(tick)), (right, up(tick)), "grid")
        svg.words(picture, _PANEL_LEFT - 6, up(tick) + 4, said, "end")
    for tick, said in zip(x.ticks, x.labels, strict=True):
        svg.line(picture, (across(tick), foot), (across(tick), foot + 4), "grid")
        svg.words(picture, across(tick), foot + 16, said, "middle")
    svg.words(picture, (_PANEL_LEFT + right) / 2, height - 5, label, "middle")
    return picture, svg.group(picture), across, up


def _link(comparison: Comparison, group: GroupMeasures, said: str) -> tuple[int, str]:
    """The problem that a dot leads to, and what it says."""
    names = f"{printable(group.problem_id, _NAME_LENGTH)} / {printable(group.strategy, _NAME_LENGTH)}"
    return comparison.problems.index(group.problem_id), f"{names}: {said}"


def spread_labels(sizes: Sequence[int]) -> list[str]:
    """Labels of sizes on a logarithmic axis; one too near to its larger neighbour (8 beside 10) has none."""
    larger = [*sizes[1:], math.inf]
    return [str(size) if after / size > 1.4 else "" for size, after in zip(sizes, larger, strict=True)]


def _dashed(comparison: Comparison, curves: dict[str, list[_Point]]) -> str:
    if comparison.baseline not in curves or len(curves) < 2:
        return ""
    return f" Dashed: {printable(comparison.baseline, _NAME_LENGTH)}."


def _shown(row: ProcessRow | OutcomeRow, digits: int = 3) -> str:
    return interval(row.value, row.ci_low, row.ci_high, digits)


def _p(row: DifferenceRow) -> str:
    return row.verdict if math.isnan(row.p_holm) else p_value(row.p_holm)


def _diversity_of(group: GroupMeasures) -> float:
    return group.process.diversity.value if group.process else math.nan


def _look(comparison: Comparison, strategy: str) -> Look:
    return look_of(comparison.strategies, strategy)


def _low(point: _Point) -> float:
    return point.low


def _high(point: _Point) -> float:
    return point.high
