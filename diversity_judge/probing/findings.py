"""What the probes say: each answer in the hands of its formula, in the order of the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from diversity_judge.bands import Bands
from diversity_judge.ledger import Ledger
from diversity_judge.measures.probes.controls import control_findings, separation_findings, stress_findings
from diversity_judge.measures.probes.findings import Finding
from diversity_judge.measures.probes.instrument import instrument_findings
from diversity_judge.measures.probes.nuisance import nuisance_findings
from diversity_judge.measures.probes.order import order_findings
from diversity_judge.measures.probes.retest import retest_findings
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.measures.probes.strategy import strategy_findings
from diversity_judge.measures.probes.template import template_findings
from diversity_judge.probing import names
from diversity_judge.probing.buying import Answers
from diversity_judge.probing.drawing import DrawnPair
from diversity_judge.probing.same_judge import SameJudge
from diversity_judge.probing.samples import (
    asked_for_of,
    base_of,
    first_is_longer,
    replies_of,
    run_sample,
    sample_of,
    scored_pairs,
)


@dataclass(frozen=True)
class Material:
    """All that the probes look at.

    Attributes:
        source: The run and its judge.
        drawn: The pairs that were probed.
        answers: What was bought, by probe; the two templates of `template` are two.
        ledger: The run's.
        bands: What is called innocent.
        labels: Judge minus people, of the labelled pairs; None without labels.
    """

    source: SameJudge
    drawn: Sequence[DrawnPair]
    answers: Sequence[Answers]
    ledger: Ledger
    bands: Bands
    labels: Sample | None = None

    @cached_property
    def samples(self) -> Mapping[str, Sample]:
        """The scores of each probe that has any, by its name; those of other templates are `templates`."""
        return {
            found.request.probe: sample_of(found)
            for found in self.answers
            if found.request.probe != names.TEMPLATE and found.has_scores
        }

    def of(self, probe: str) -> Answers:
        """The answers to a probe."""
        return next(found for found in self.answers if found.request.probe == probe)

    @property
    def templates(self) -> Mapping[str, Sample]:
        """The drawn pairs under other templates, by the template's name."""
        found = [a for a in self.answers if a.request.probe == names.TEMPLATE and a.has_scores]
        return {a.request.template.file.name: sample_of(a) for a in found if a.request.template is not None}

    @property
    def run_draws(self) -> Sample:
        """(M,) or (M, K): all that is known of the drawn pairs in the run's order."""
        return self.samples.get(names.RETEST, run_sample(self.drawn))


def find_all(material: Material, probes: Sequence[str]) -> tuple[Finding, ...]:
    """The findings of these probes; one that could not be asked says why."""
    found: list[Finding] = []
    for probe in probes:
        if probe in (names.RETEST, names.ORDER, *names.CONTROLS) and probe not in material.samples:
            found.append(_not_asked(probe, _why_not(material.of(probe))))
        else:
            found += _FORMULAS[probe](material)
    return tuple(finding for finding in found if finding.n or finding.strategy is None)


def _why_not(answers: Answers) -> str:
    reasons = Counter[str]()
    for counts in (answers.request.left_out, answers.missing):
        reasons.update(counts)
    return "no answer: " + "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())


def _not_asked(probe: str, why: str) -> Finding:
    nan = float("nan")
    return Finding(probe, "not asked", None, nan, nan, nan, 0, None, None, why)


def _instrument(material: Material) -> tuple[Finding, ...]:
    return instrument_findings(replies_of(material.source.run, material.ledger), material.bands)


def _retest(material: Material) -> tuple[Finding, ...]:
    return retest_findings(material.samples[names.RETEST], material.bands)


def _order(material: Material) -> tuple[Finding, ...]:
    longer = first_is_longer(material.source, material.drawn)
    return order_findings(material.run_draws, material.samples[names.ORDER], longer, material.bands)


def _control(probe: str) -> Callable[[Material], tuple[Finding, ...]]:
    def find(material: Material) -> tuple[Finding, ...]:
        return control_findings(probe, material.samples[probe], material.bands)

    return find


def _unrelated(material: Material) -> tuple[Finding, ...]:
    low = material.samples[names.UNRELATED]
    high = [material.samples[probe] for probe in names.HIGH if probe in material.samples]
    found = control_findings(names.UNRELATED, low, material.bands)
    return (*found, *(separation_findings(high, low, material.bands) if high else ()))


def _stress(probe: str) -> Callable[[Material], tuple[Finding, ...]]:
    def find(material: Material) -> tuple[Finding, ...]:
        answers = material.of(probe)
        base = base_of(answers, material.run_draws).scores
        wanted = asked_for_of(answers) if probe == names.INJECTION else None
        return stress_findings(probe, material.samples[probe], base, material.bands, asked_for=wanted)

    return find


def _template(material: Material) -> tuple[Finding, ...]:
    if material.source.spec.is_embedded:
        return (_not_asked(names.TEMPLATE, "this judge reads no prompt, so other words cannot change its scores"),)
    others = {name: sample.scores for name, sample in material.templates.items()}
    if not others:
        why = "; ".join(_why_not(a) for a in material.answers if a.request.probe == names.TEMPLATE)
        return (_not_asked(names.TEMPLATE, why),)
    return template_findings(run_sample(material.drawn), others, material.bands)


def _nuisance(material: Material) -> tuple[Finding, ...]:
    sample, covariates = scored_pairs(material.source.run, material.source)
    return nuisance_findings(sample, covariates, material.bands)


def _strategy(material: Material) -> tuple[Finding, ...]:
    strategies = {one.strategy for one in material.drawn}
    if len(strategies) < 2:
        return (_not_asked(names.STRATEGY, "the run has one strategy, so no difference can suffer"),)
    controls = {probe: sample for probe, sample in material.samples.items() if probe in (*names.HIGH, names.UNRELATED)}
    retest = material.samples.get(names.RETEST)
    if not controls and retest is None and material.labels is None:
        return (_not_asked(names.STRATEGY, "needs the probe retest or a control (--probes), or --labels"),)
    return strategy_findings(controls, retest, material.bands, material.labels)


_FORMULAS: Mapping[str, Callable[[Material], tuple[Finding, ...]]] = {
    names.INSTRUMENT: _instrument,
    names.RETEST: _retest,
    names.ORDER: _order,
    **{probe: _control(probe) for probe in names.HIGH},
    names.UNRELATED: _unrelated,
    **{probe: _stress(probe) for probe in names.STRESS},
    names.TEMPLATE: _template,
    names.NUISANCE: _nuisance,
    names.STRATEGY: _strategy,
}


def counted_left_out(answers: Sequence[Answers]) -> Iterator[str]:
    """Sentences on what could not be asked about."""
    for found in answers:
        for reason, count in found.request.left_out.most_common():
            yield f"{found.request.probe}: {count:,} left out, because {reason}"
