"""What the findings mean, in sentences that a person can act on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from diversity_judge.display import counted
from diversity_judge.measures.probes.findings import Finding, Verdict
from diversity_judge.probing import names
from diversity_judge.probing.precision import USD, Precision
from diversity_judge.probing.result import Reliability
from diversity_judge.text_safety import printable
from diversity_judge.wording import number

_Words = Callable[[Finding], str]

_TROUBLE: Mapping[tuple[str, str], _Words] = {
    (names.INSTRUMENT, "unusable_share"): lambda f: (
        f"{_percent(f)} of the replies hold no score: see their reasons in reliability.csv before anything else"
    ),
    (names.INSTRUMENT, "models"): lambda f: "Several models answered under one name: pin the model, and score again",
    (names.INSTRUMENT, "fingerprints"): lambda f: (
        "The host served several versions of the model during the run: its scores are not of one judge"
    ),
    (names.INSTRUMENT, "hosts"): lambda f: "Several hosts answered: pin one of them, and score again",
    (names.RETEST, "sd_within_pair"): lambda f: (
        f"The judge differs from itself by {number(f.value, 2)} points: judge more pairs, or each with --draws"
    ),
    (names.RETEST, "exact_agreement"): lambda f: f"Only {_percent(f)} of repeated judgments give the same score",
    (names.RETEST, "within_one"): lambda f: f"Only {_percent(f)} of repeated judgments are within one point",
    (names.RETEST, "alpha"): lambda f: (
        f"Repeated judgments agree little beyond chance (ordinal alpha {number(f.value, 2)}): one score says little"
    ),
    (names.ORDER, "mean_difference"): lambda f: (
        f"The order matters: with the longer text first a pair gets {number(f.value, 2, signed=True)} points; score "
        "with --orders both"
    ),
    (names.ORDER, "sd_order"): lambda f: (
        f"The order moves a pair's score by {number(f.value, 2)} points beyond noise: score with --orders both"
    ),
    (names.ORDER, "differ_by_2"): lambda f: (
        f"{_percent(f)} of the pairs get another score by 2 or more in the other order: score with --orders both"
    ),
    (names.IDENTICAL, "mean"): lambda f: f"Identical texts get {number(f.value, 2)}, not 5: it does not see them",
    (names.IDENTICAL, "share_outside"): lambda f: f"{_percent(f)} of identical texts get less than 5",
    (names.REFORMATTED, "share_outside"): lambda f: f"{_percent(f)} of reformatted texts get less than 4",
    (names.ANSWER, "share_outside"): lambda f: f"{_percent(f)} of texts with another final answer get less than 4",
    (names.UNRELATED, "share_outside"): lambda f: f"{_percent(f)} of unrelated responses get more than 1",
    (names.REFORMATTED, "mean"): lambda f: (
        f"The same text in another form gets {number(f.value, 2)}: the judge looks at form"
    ),
    (names.ANSWER, "mean"): lambda f: (
        f"The same route with another answer gets {number(f.value, 2)}: the judge looks at answers"
    ),
    (names.UNRELATED, "mean"): lambda f: (
        f"Responses to different problems get {number(f.value, 2)}: the judge finds likeness where there is none"
    ),
    (names.UNRELATED, "auc"): lambda f: (
        f"The judge hardly tells the same from the unrelated (AUC {number(f.value, 2)}): do not use its scores"
    ),
    (names.PADDING, "mean_shift"): lambda f: (
        f"Idle sentences move a score by {number(f.value, 2, signed=True)}: the judge looks at length"
    ),
    (names.PADDING, "changed_by_2"): lambda f: f"Idle sentences move {_percent(f)} of the scores by 2 or more",
    (names.CUT, "changed_by_2"): lambda f: f"A cut end moves {_percent(f)} of the scores by 2 or more",
    (names.CUT, "mean_shift"): lambda f: (
        f"A cut end moves a score by {number(f.value, 2, signed=True)}: compare with --complete-only"
    ),
    (names.INJECTION, "mean_shift"): lambda f: (
        f"An instruction inside a response moves its score by {number(f.value, 2, signed=True)} to where it asks"
    ),
    (names.INJECTION, "obeyed"): lambda f: f"{_percent(f)} of the instructions inside a response were obeyed",
    (names.TEMPLATE, "change_of_diversity"): lambda f: (
        f"Other words of the rubric change the diversity by {number(f.value, 3, signed=True)}: report it beside results"
    ),
}
"""What a figure outside its band means; a sentence a figure."""
_MOST_MORE = 5
"""Times as many pairs are still a proposal."""


_OF_THE_RUN = (names.INSTRUMENT, names.NUISANCE)
"""What more pairs to probe do not make surer."""


def sentences(found: Reliability) -> Iterator[str]:
    """What is wrong, what cannot be told yet, and whether all that was asked is as it should be."""
    judged = [finding for finding in found.findings if finding.verdict is not None]
    outside = [finding for finding in judged if finding.verdict is Verdict.OUTSIDE]
    yield from (_trouble(finding) for finding in outside if finding.strategy is None)
    is_mirrored = len(found.strategies) == 2
    of_strategies = [finding for finding in outside if finding.probe == names.STRATEGY]
    yield from (_trouble(finding) for finding in of_strategies if not is_mirrored or finding.value > 0)
    yield from _undecided([finding for finding in judged if finding.verdict is Verdict.TOO_FEW], len(found.drawn))
    if judged and not outside:
        yield "No figure lies outside its band."
    yield from _precision(found.precision)


def _precision(precision: Precision) -> Iterator[str]:
    """How much of what is uncertain is the judge's, what this study can see, and what helps most."""
    of_group, of_difference = (precision.noise_shares[name] for name in ("group", "difference"))
    if not math.isnan(of_group):
        also = "" if math.isnan(of_difference) else f" and {_share(of_difference)} of a difference's"
        yield f"The judge's noise is {_share(of_group)} of the variance of a group's diversity{also}."
    design = precision.design
    if math.isfinite(precision.detectable):
        yield (
            f"On {counted(design.n_problems, 'problem')} a true difference of {number(precision.detectable)} in "
            "diversity is confirmed in 80 of 100 studies like this one."
        )
    elif design.n_strategies > 1:
        yield f"On {counted(design.n_problems, 'problem')} no difference can be confirmed: more problems are needed."
    best = precision.allocation[0]
    if best.after > best.before and not math.isnan(best.se):
        budget = "100 USD" if precision.unit == USD else f"{precision.budget:,.0f} calls"
        yield (
            f"The next {budget} help most as {best.spent_on}, {best.before:g} to {best.after:g}: the standard error of "
            f"a difference falls from {number(best.se_before, 4)} to {number(best.se, 4)}."
        )


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _trouble(finding: Finding) -> str:
    if finding.probe == names.STRATEGY:
        return _by_strategy(finding)
    words = _TROUBLE.get((finding.probe, finding.metric))
    if finding.probe == names.NUISANCE:
        what = finding.metric.replace("_", " ")
        return f"Scores go with the {what} of a pair ({number(finding.value, 2, signed=True)} points a unit)."
    said = words(finding) if words else f"{finding.probe}, {finding.metric}: {number(finding.value, 2)}"
    return f"{said}."


def _by_strategy(finding: Finding) -> str:
    name = printable(finding.strategy or "", 40)
    if finding.metric == "retest_sd_ratio":
        return f"The judge's noise on {name} is {number(finding.value, 2)} times that on the others."
    return (
        f"The judge errs differently on {name}: {number(finding.value, 2, signed=True)} points against the other "
        "strategies, which a difference of diversities does not cancel."
    )


def _undecided(findings: list[Finding], n_drawn: int) -> Iterator[str]:
    pooled = [finding for finding in findings if finding.strategy is None and finding.probe not in _OF_THE_RUN]
    if not pooled:
        return
    factors = [f.needed / f.n for f in pooled if f.needed is not None and f.n and f.needed <= _MOST_MORE * f.n]
    pairs = math.ceil(max(factors, default=0) * n_drawn)
    how_many = "" if len(factors) == len(pooled) else f" {len(factors)} of these {len(pooled)}"
    more = f"; about --pairs {pairs:,} would tell{how_many}" if factors else ""
    listed = ", ".join(f"{finding.probe} {finding.metric.replace('_', ' ')}" for finding in pooled)
    yield f"Too few to tell: {listed}{more}."


def _percent(finding: Finding) -> str:
    return _share(finding.value)
