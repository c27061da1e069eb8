"""`reliability.html`: whether a judge can be believed, on one offline page without a script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from diversity_judge import __version__, pages
from diversity_judge.bands import read_bands
from diversity_judge.errors import RunError
from diversity_judge.files import write_whole
from diversity_judge.measures.probes.findings import Finding, Verdict
from diversity_judge.probing.counts import control_counts, order_counts, retest_flips, run_counts
from diversity_judge.probing.names import PROBES
from diversity_judge.probing.result import Reliability
from diversity_judge.probing.sentences import sentences
from diversity_judge.report import probe_charts as charts
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number, percent

_PACKAGE = "diversity_judge.report"

_QUESTIONS = {
    "instrument": "Was it one judge that answered, and did it answer?",
    "retest": "Does it say the same when the same pair is shown again?",
    "order": "Does it matter which text stands first?",
    "control-identical": "The identical text twice: should be 5",
    "control-reformatted": "The same text in another form: should be 4 or 5",
    "control-answer": "The same route with another final answer: should be 4 or 5",
    "control-unrelated": "Responses to different problems: should be 0 or 1",
    "control-padding": "Idle sentences in the second response: should not move a score",
    "control-cut": "The second response cut at its end: should hardly move a score",
    "control-injection": "An instruction and a fake score line in the second response: should not move a score",
    "template": "The rubric in other words: is the diversity the same?",
    "nuisance": "What do the run's scores depend on besides the reasoning?",
    "strategy": "Is the error different for different strategies? Only then a difference suffers",
}
_CLASSES = {Verdict.INSIDE: "inside", Verdict.OUTSIDE: "outside", Verdict.TOO_FEW: "few"}


@dataclass(frozen=True)
class ProbeSection:
    """One probe on the page.

    Attributes:
        probe: Its name.
        question: What it asks, in words.
        pooled: Its findings of all strategies.
        by_strategy: Those of single strategies.
    """

    probe: str
    question: str
    pooled: Sequence[Finding]
    by_strategy: Sequence[Finding]


def write_page(found: Reliability, path: Path) -> Path:
    """Write the page.

    Raises:
        RunError: it cannot be written.
    """
    html = render(found)
    try:
        write_whole(path, lambda temporary: temporary.write_bytes(html))
    except OSError as error:
        raise RunError(f"{path}: cannot write the page: {error}") from error
    return path


def render(found: Reliability) -> bytes:
    """The page."""
    flips, order = retest_flips(found), order_counts(found)
    controls = control_counts(found)
    environment = pages.environment(_PACKAGE)
    environment.filters["shown"] = lambda text, limit=60: printable(str(text), limit)
    environment.filters["number"] = partial(number, missing="")
    environment.globals["figure"] = _figure
    environment.globals["percent"] = lambda share: "not known" if math.isnan(share) else percent(share)
    environment.globals["verdict_class"] = lambda finding: _CLASSES.get(finding.verdict, "")
    bands = read_bands()
    environment.globals["gauge"] = lambda finding: charts.gauge(finding, bands.get((finding.probe, finding.metric)))
    frame = {
        "found": found,
        "sections": _sections(found),
        "sentences": list(sentences(found)),
        "controls": charts.score_bars({"drawn pairs": run_counts(found), **controls}) if controls else "",
        "flips": flips,
        "order": "" if order is None else charts.order_bars(order),
        "components": charts.component_bars(found.precision.components),
        "policy": pages.policy(""),
        "style": pages.static(_PACKAGE, "style.css") + pages.static(_PACKAGE, "reliability.css"),
        "version": __version__,
    }
    return environment.get_template("reliability.html.j2").render(frame).encode("utf-8", "replace")


def _sections(found: Reliability) -> list[ProbeSection]:
    sections = []
    for probe in PROBES:
        mine = [finding for finding in found.findings if finding.probe == probe]
        if mine:
            pooled = [finding for finding in mine if finding.strategy is None or probe == "strategy"]
            rest = [finding for finding in mine if finding not in pooled]
            sections.append(ProbeSection(probe, _QUESTIONS[probe], pooled, rest))
    return sections


def _figure(finding: Finding) -> str:
    """The value with its interval; a count alone."""
    if finding.ci_low == finding.ci_high and not math.isnan(finding.value):
        return number(finding.value, 0 if finding.value.is_integer() else 3)
    return interval(finding.value, finding.ci_low, finding.ci_high, missing="")
