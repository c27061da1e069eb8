"""What the findings mean, in sentences that a person can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from diversity_judge.measures.probes.findings import Finding, Verdict
from diversity_judge.probing import names
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


def sentences(found: Reliability) -> Iterator[str]:
    """What is wrong, what cannot be told yet, and whether all that was asked is as it should be."""
    judged = [finding for finding in found.findings if finding.verdict is not None]
    outside = [finding for finding in judged if finding.verdict is Verdict.OUTSIDE]
    yield from (_trouble(finding) for finding in outside if finding.strategy is None or finding.probe == names.STRATEGY)
    yield from _undecided([finding for finding in judged if finding.verdict is Verdict.TOO_FEW])
    if judged and not outside:
        yield "No figure lies outside its band."


def _trouble(finding: Finding) -> str:
    if finding.probe == names.STRATEGY:
        return _by_strategy(finding)
    words = _TROUBLE.get((finding.probe, finding.metric))
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


def _undecided(findings: list[Finding]) -> Iterator[str]:
    pooled = [finding for finding in findings if finding.strategy is None]
    if not pooled:
        return
    needed = [finding.needed for finding in pooled if finding.needed is not None]
    more = f"; --pairs {max(needed):,} would tell what can be told" if needed else ""
    listed = ", ".join(f"{finding.probe} {finding.metric}" for finding in pooled)
    yield f"Too few to tell: {listed}{more}."


def _percent(finding: Finding) -> str:
    return f"{100 * finding.value:.0f} %"
