"""The HTML file itself: a template, a style, a script, a plotting library and the data, in one."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from functools import partial
from importlib import resources
from typing import Any

import jinja2

from diversity_judge import __version__
from diversity_judge.comparing.outcome_table import TIERS, ties
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS
from diversity_judge.drawing.look import look_of
from diversity_judge.errors import InputError
from diversity_judge.report.charts import charts
from diversity_judge.report.content import (
    ProblemSection,
    add_lengths,
    index,
    rationales_of,
    runs_without_replies,
    sections,
    texts,
)
from diversity_judge.report.mathematics import Trees
from diversity_judge.report.packing import Cuts, Lengths, embed, ladder, pack
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval

_SCRIPTS = ("data.js", "charts.js", "maps.js", "reader.js", "page.js")
_MEGABYTE = 1_000_000
_MARGIN = 0.97
"""Share of the size that the estimate may fill: the texts of one problem stand for those of all."""


def render(comparison: Comparison, *, megabytes: float) -> bytes:
    """The page.

    Args:
        comparison: What it shows.
        megabytes: Its largest size.

    Raises:
        InputError: it cannot be that small.
    """
    problems = sections(comparison)
    scripts = [_plotly(), *_own_scripts()]
    frame = {
        "comparison": comparison,
        "problems": problems,
        "charts": charts(comparison),
        "tiers": [tier for tier in TIERS if any(row.tier == tier for row in comparison.outcomes)],
        "ties": ties(comparison.groups),
        "without_replies": [printable(str(run.path)) for run in runs_without_replies(comparison)],
        "index": embed(_index(comparison, problems)),
        "scripts": scripts,
        "policy": _policy(scripts),
        "style": _static("style.css"),
        "version": __version__,
        "ALL_TIERS": ALL_TIERS,
    }
    template = _environment(comparison).get_template("page.html.j2")
    empty = template.render(frame, chunks=[], cuts=Cuts())
    room = int(megabytes * _MEGABYTE) - len(empty.encode())
    cuts, chunks = _chunks(comparison, problems, room, megabytes)
    return template.render(frame, chunks=chunks, cuts=cuts).encode("utf-8", "replace")


def _chunks(
    comparison: Comparison, problems: Sequence[ProblemSection], room: int, megabytes: float
) -> tuple[Cuts, list[str]]:
    """The packed texts of each problem, cut as little as the room allows."""
    lengths = Lengths()
    for problem in problems:
        add_lengths(lengths, problem, rationales_of(comparison, problem))
    trees: Trees = {}
    ratio = _packed_share(comparison, problems, trees)
    for cuts in ladder():
        if lengths.kept(cuts) * ratio > room * _MARGIN:
            continue
        chunks = [pack(texts(problem, rationales_of(comparison, problem), cuts, trees)) for problem in problems]
        if sum(map(len, chunks)) + 100 * len(chunks) <= room:
            return cuts, chunks
    raise InputError(
        f"report.html does not fit into {megabytes:g} MB even with its texts cut short; raise --report-megabytes, or "
        "compare fewer problems at a time"
    )


def _packed_share(comparison: Comparison, problems: Sequence[ProblemSection], trees: Trees) -> float:
    """Packed bytes a character, as the largest problem shows it."""
    if not problems:
        return 1.0
    problem = max(problems, key=lambda p: sum(len(r.text) for _, g in p.groups for r in g.member.responses))
    rationales = rationales_of(comparison, problem)
    lengths = Lengths()
    add_lengths(lengths, problem, rationales)
    return len(pack(texts(problem, rationales, Cuts(), trees))) / max(1, lengths.kept(Cuts()))


def _index(comparison: Comparison, problems: Sequence[ProblemSection]) -> dict[str, Any]:
    strategies = {strategy: number for number, strategy in enumerate(comparison.strategies)}
    drawn = {
        chart.name: {
            "data": [trace | {"meta": strategies[trace["meta"]]} for trace in chart.data],
            "layout": chart.layout,
        }
        for chart in charts(comparison)
    }
    found: dict[str, Any] = _finite(index(comparison, problems) | {"charts": drawn})
    return found


def _finite(value: Any) -> Any:
    """The same with null for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _policy(scripts: Sequence[str]) -> str:
    """Only these scripts, and no connection of any kind. Plotly adds style sheets, and images made from its canvas."""
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r\n", "\n").replace("</script", "<\\/script")


def _own_scripts() -> list[str]:
    body = "\n".join(_static(name) for name in _SCRIPTS)
    return [f"(() => {{\n'use strict';\n{body}\n}})();\n"]


def _static(name: str) -> str:
    return resources.files("diversity_judge.report").joinpath("static", name).read_text("utf-8")


def _environment(comparison: Comparison) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("diversity_judge.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["shown"] = lambda text, limit=60: printable(str(text), limit)
    environment.filters["number"] = lambda value, digits=3: "" if math.isnan(value) else f"{value:.{digits}f}"
    environment.filters["percent"] = lambda value: "" if math.isnan(value) else f"{math.floor(value * 1000) / 10:g} %"
    environment.globals["interval"] = partial(interval, missing="")
    environment.globals["colour"] = lambda strategy: look_of(comparison.strategies, strategy).colour
    return environment
