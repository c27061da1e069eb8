"""The charts of `reliability.html`, as SVG in the page's colours: figures against their bands, scores, differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

from diversity_judge.bands import Band
from diversity_judge.drawing.look import SCORE_COLOURS
from diversity_judge.measures.components import Components
from diversity_judge.measures.probes.findings import Finding
from diversity_judge.report import svg
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.wording import interval, number

_GAUGE = (170.0, 22.0)
_MARGIN = 0.12
"""Of the gauge's range, beyond the values and the ends of the band."""
_WIDTH, _NAMES, _SIDE, _ROW, _FOOT = 560.0, 140.0, 22.0, 26.0, 34.0
_BLUE = "#0072b2"
_BRIGHT_FROM = 4
_LEAST_SHOWN = 0.05


def gauge(finding: Finding, band: Band | None) -> str:
    """A figure with its interval over the band that it is held against; nothing where there is no band or figure."""
    if band is None or math.isnan(finding.value):
        return ""
    width, height = _GAUGE
    ends = [end for end in (finding.ci_low, finding.ci_high, band.low, band.high, finding.value) if math.isfinite(end)]
    margin = _MARGIN * ((max(ends) - min(ends)) or 1.0)
    low, high = min(ends) - margin, max(ends) + margin
    place = svg.linear_axis(low, high).scale(2, width - 2)
    label = f"{finding.metric}: {interval(finding.value, finding.ci_low, finding.ci_high, 2)}; band {band}"
    picture = svg.canvas(width, height, label)
    start, stop = place(max(low, band.low)), place(min(high, band.high))
    # A band without width is still seen.
    _rectangle(picture, start - 1, 3, max(2.0, stop - start + 2), height - 6, "innocent")
    svg.line(picture, (2, height / 2), (width - 2, height / 2), "grid")
    if math.isfinite(finding.ci_low) and finding.ci_low < finding.ci_high:
        svg.whisker(picture, (place(finding.ci_low), place(finding.ci_high)), height / 2, is_level=True)
    svg.mark(picture, place(finding.value), height / 2, "currentColor", "circle", label)
    return svg.markup(picture)


def score_bars(counts: Mapping[str, NDArray[np.int64]]) -> str:
    """Which scores each control got: a bar a control, a part a score."""
    height = _ROW * len(counts) + _FOOT
    picture = svg.canvas(_WIDTH, height, "Shares of the scores 0 to 5 that each control got")
    scale = svg.linear_axis(0, 1).scale(_NAMES, _WIDTH - _SIDE)
    for place, (name, row) in enumerate(counts.items()):
        top, left, total = place * _ROW + 3, 0.0, int(row.sum())
        svg.words(picture, _NAMES - 8, top + 14, f"{name.removeprefix('control-')} ({total:,})", "end")
        for score, count in enumerate(row.tolist()):
            share = count / total
            tip = f"{name}: {count:,} of {total:,} got {score}"
            start, stop = scale(left), scale(left + share)
            _rectangle(picture, start, top, stop - start, _ROW - 7, "part", SCORE_COLOURS[score], tip)
            if share >= _LEAST_SHOWN:
                ink = "ink dark" if score >= _BRIGHT_FROM else "ink"
                svg.words(picture, (start + stop) / 2, top + 14, str(score), "middle", ink)
            left += share
    for tick in (0, 0.25, 0.5, 0.75, 1):
        svg.words(picture, scale(tick), height - 16, f"{100 * tick:.0f} %", "middle")
    return svg.markup(picture)


def order_bars(counts: NDArray[np.int64]) -> str:
    """How many pairs differ by how much between their orders."""
    width, height, left, top = _WIDTH, 200.0, 20.0, 16.0
    picture = svg.canvas(width, height, "Pairs by the difference of their scores between the two orders")
    across = svg.linear_axis(-MAX_SCORE - 0.5, MAX_SCORE + 0.5).scale(left, width - 8)
    most = max(1, int(counts.max()))
    up = svg.linear_axis(0, most).scale(height - _FOOT, top)
    svg.line(picture, (left, up(0)), (width - 8, up(0)), "zero")
    for place, count in enumerate(counts.tolist()):
        difference = place - MAX_SCORE
        middle = across(difference)
        svg.words(picture, middle, height - _FOOT + 14, f"{difference:+d}" if difference else "0", "middle")
        if count:
            tip = f"{count:,} pairs differ by {difference:+d}"
            _rectangle(picture, middle - 18, up(count), 36, up(0) - up(count), "part", _BLUE, tip)
            svg.words(picture, middle, up(count) - 3, f"{count:,}", "middle")
    svg.words(picture, (left + width) / 2, height - 4, "longer text first minus longer text second, points", "middle")
    return svg.markup(picture)


def component_bars(components: Components) -> str:
    """Standard deviation of each source of variance, with its interval."""
    known = [component for component in components.all if not math.isnan(component.variance)]
    if not known:
        return ""
    height = _ROW * len(known) + _FOOT
    picture = svg.canvas(_WIDTH, height, "Standard deviations of what a score varies with")
    ends = [math.sqrt(max(c.variance, c.ci_high if math.isfinite(c.ci_high) else 0.0)) for c in known]
    axis = svg.linear_axis(0, max([*ends, 0.1]) * 1.02)
    scale = axis.scale(_NAMES, _WIDTH - _SIDE)
    for tick, label in zip(axis.ticks, axis.labels, strict=True):
        svg.line(picture, (scale(tick), 0), (scale(tick), height - _FOOT), "grid")
        svg.words(picture, scale(tick), height - _FOOT + 14, label, "middle")
    for place, component in enumerate(known):
        top = place * _ROW + 4
        svg.words(picture, _NAMES - 8, top + 13, component.name.replace("_", " "), "end")
        tip = f"{component.name}: {number(component.sd)} points"
        _rectangle(picture, scale(0), top, scale(component.sd) - scale(0), _ROW - 9, "part", _BLUE, tip)
        if math.isfinite(component.ci_low):
            whisker = scale(math.sqrt(max(0.0, component.ci_low))), scale(math.sqrt(component.ci_high))
            svg.whisker(picture, whisker, top + (_ROW - 9) / 2, is_level=True)
    svg.words(picture, (_NAMES + _WIDTH) / 2, height - 4, "standard deviation, points of 0..5", "middle")
    return svg.markup(picture)


def _rectangle(
    parent: Element, x: float, y: float, width: float, height: float, name: str, colour: str = "", tip: str = ""
) -> None:
    places = {"x": x, "y": y, "width": max(0.0, width), "height": max(0.0, height)}
    attributes = {"class": name, **{key: f"{value:.2f}" for key, value in places.items()}}
    box = SubElement(parent, "rect", attributes | ({"fill": colour} if colour else {}))
    if tip:
        SubElement(box, "title").text = tip
