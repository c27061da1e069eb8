"""The HTML file itself: a template, a style, a script, charts and the data, in one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jinja2

from diversity_judge import __version__, pages
from diversity_judge.comparing.notes import merged_notes
from diversity_judge.comparing.outcome_table import TIERS
from diversity_judge.comparing.result import Comparison
from diversity_judge.comparing.tables import ALL_TIERS
from diversity_judge.drawing.heatmaps import only_score
from diversity_judge.drawing.look import SCORE_COLOURS, look_of
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
from diversity_judge.report.more_tables import more_tables
from diversity_judge.report.packing import Cuts, Lengths, ladder, pack
from diversity_judge.report.summary import outcome_table, process_table
from diversity_judge.report.verification_charts import verification_charts
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval

_PACKAGE = "diversity_judge.report"
_SCRIPTS = ("data.js", "maps.js", "reader.js", "page.js")
_MEGABYTE = 1_000_000
_AROUND_CHUNK = 100
"""Bytes of the element around a problem's texts, at most."""
_DOUBT = 1.15
"""How much more than the first problems tell the texts may be expected to need, and are packed on nevertheless."""


def render(comparison: Comparison, *, megabytes: float) -> bytes:
    """The page.

    Args:
        comparison: What it shows.
        megabytes: Its largest size.

    Raises:
        InputError: it cannot be that small.
    """
    problems = sections(comparison)
    script = pages.script(_PACKAGE, _SCRIPTS)
    frame = {
        "comparison": comparison,
        "problems": problems,
        "charts": (*charts(comparison), *verification_charts(comparison)),
        "hues": SCORE_COLOURS,
        "tiers": [tier for tier in TIERS if any(row.tier == tier for row in comparison.outcomes)],
        "process": process_table(comparison, is_detail=False),
        "details": process_table(comparison, is_detail=True),
        "outcomes": outcome_table(comparison),
        "more": more_tables(comparison),
        "notes": [*merged_notes(comparison.notes), *_lost_ledgers(comparison)],
        "index": pages.embed(_finite(index(comparison, problems))),
        "script": script,
        "policy": pages.policy(script),
        "style": pages.static(_PACKAGE, "style.css"),
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
    lengths = []
    for problem in problems:
        lengths.append(Lengths())
        add_lengths(lengths[-1], problem, rationales_of(comparison, problem))
    trees: Trees = {}
    tried: list[int] | None = None
    for cuts in ladder():
        kept = [of_problem.kept(cuts) for of_problem in lengths]
        if kept != tried:  # else this rung cuts nothing more
            chunks = _packed(comparison, problems, cuts, kept, room, trees)
            if chunks is not None:
                return cuts, chunks
        tried = kept
    raise InputError(
        f"report.html does not fit into {megabytes:g} MB even with its texts cut short; raise --report-megabytes, or "
        "compare fewer problems at a time"
    )


def _packed(
    comparison: Comparison,
    problems: Sequence[ProblemSection],
    cuts: Cuts,
    kept: Sequence[int],
    room: int,
    trees: Trees,
) -> list[str] | None:
    """The packed texts; None where they do not fit, which the first problems mostly tell."""
    chunks: list[str] = []
    size = 0
    for number, problem in enumerate(problems, start=1):
        chunks.append(pack(texts(problem, rationales_of(comparison, problem), cuts, trees)))
        size += len(chunks[-1]) + _AROUND_CHUNK
        is_last = number == len(problems)
        expected = size if is_last else size * sum(kept) / max(1, sum(kept[:number])) / _DOUBT
        if max(size, expected) > room:
            return None
    return chunks


def _lost_ledgers(comparison: Comparison) -> list[str]:
    lost = [printable(str(run.path)) for run in runs_without_replies(comparison)]
    return [f"{path}: its ledger is not where the run left it, so its scores have no rationale here" for path in lost]


def _finite(value: Any) -> Any:
    """The same with null for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _environment(comparison: Comparison) -> jinja2.Environment:
    environment = pages.environment(_PACKAGE)
    environment.filters["shown"] = lambda text, limit=60: printable(str(text), limit)
    environment.filters["same"] = lambda group: only_score(group.member.matrix.symmetric())
    environment.filters["number"] = lambda value, digits=3: "" if math.isnan(value) else f"{value:.{digits}f}"
    environment.filters["percent"] = lambda value: "" if math.isnan(value) else f"{math.floor(value * 1000) / 10:g} %"
    environment.globals["interval"] = partial(interval, missing="")
    environment.globals["colour"] = lambda strategy: look_of(comparison.strategies, strategy).colour
    return environment
