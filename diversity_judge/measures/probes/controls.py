"""Does the judge see what is known: the same text as the same, strangers as strangers, idle changes as idle?

Three kinds of questions whose answers are known. High: the identical text, the same text in other formatting, the same
route with another final answer. Low: responses to different problems. Stress: a pair of the run of which one text was
changed, held against the pair's own score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diversity_judge.bands import Bands
from diversity_judge.measures.clustered import codes_of, mean_of, of_equal, of_sums, ratio, share_of, sums_by
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.findings import Finding, by_strategy, finding
from diversity_judge.measures.probes.order import FAR
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.rubric import MAX_SCORE

IDENTICAL, REFORMATTED, ANSWER = "control-identical", "control-reformatted", "control-answer"
HIGH = (IDENTICAL, REFORMATTED, ANSWER)
UNRELATED = "control-unrelated"
PADDING, CUT, INJECTION = "control-padding", "control-cut", "control-injection"
STRESS = (PADDING, CUT, INJECTION)
_SPAN = (-float(MAX_SCORE), float(MAX_SCORE))


def control_findings(probe: str, sample: Sample, bands: Bands) -> tuple[Finding, ...]:
    """Mean score of a control, and the share outside what is acceptable; of all and of each strategy's.

    Args:
        probe: One of `HIGH`, or `UNRELATED`.
        sample: (N,) scores of the control.
        bands: What is innocent, and which scores are acceptable.
    """
    lowest, highest = acceptable(probe, bands)

    def figures(part: Sample, strategy: str | None) -> tuple[Finding, ...]:
        outside = (part.scores < lowest) | (part.scores > highest)
        estimates = {
            "mean": mean_of(part.scores, part.problem, bounds=(0.0, MAX_SCORE)),
            "share_outside": share_of(outside, part.problem),
        }
        note = {"share_outside": f"acceptable: {lowest:g} to {highest:g}"}
        return tuple(finding(probe, m, strategy, e, len(part), bands, note.get(m, "")) for m, e in estimates.items())

    return by_strategy(sample.part(~np.isnan(sample.scores)), figures)


def acceptable(probe: str, bands: Bands) -> tuple[float, float]:
    """Lowest and highest score that a control may have; all scores where the bands do not say."""
    band = bands.get((probe, "share_outside"))
    return (0.0, MAX_SCORE) if band is None or band.acceptable is None else band.acceptable


def stress_findings(
    probe: str,
    sample: Sample,
    base: NDArray[np.float64],
    bands: Bands,
    asked_for: NDArray[np.float64] | None = None,
) -> tuple[Finding, ...]:
    """The mean score after a change that should not matter, and how far it moved; of all and of each strategy's.

    Args:
        probe: One of `STRESS`.
        sample: (N,) scores of the pairs with a changed text.
        base: (N,) mean score of the same pairs, in the same order, as they are.
        bands: What is innocent.
        asked_for: (N,) the score that the changed text asks for: shifts are then counted towards it.
    """
    toward = np.ones(len(sample)) if asked_for is None else np.where(asked_for >= base, 1.0, -1.0)
    both = sample.with_scores(np.column_stack([sample.scores, (sample.scores - base) * toward]))
    far = "changed_by_2" if asked_for is None else "obeyed"
    note = "changed minus as it is" if asked_for is None else "towards the score that the text asks for"

    def figures(part: Sample, strategy: str | None) -> tuple[Finding, ...]:
        scores, shifts = part.scores.T
        moved = shifts >= FAR if asked_for is not None else np.abs(shifts) >= FAR
        estimates = {
            "mean": mean_of(scores, part.problem, bounds=(0.0, MAX_SCORE)),
            "mean_shift": mean_of(shifts, part.problem, bounds=_SPAN),
            far: share_of(moved, part.problem),
        }
        notes = {"mean": "of the changed pairs"}
        return tuple(finding(probe, m, strategy, e, len(part), bands, notes.get(m, note)) for m, e in estimates.items())

    return by_strategy(both.part(~np.isnan(both.scores[:, 1])), figures)


def separation_findings(high: Sequence[Sample], low: Sample, bands: Bands) -> tuple[Finding, ...]:
    """How well scores tell high controls from low ones: the AUC, of all and of each strategy's.

    Args:
        high: (N,) scores of each control that should be high.
        low: (N,) those that should be low.
        bands: What is innocent.
    """
    samples = [(sample, is_high) for sample, is_high in (*((s, 1.0) for s in high), (low, 0.0))]
    pooled = Sample(
        np.concatenate([sample.problem for sample, _ in samples]),
        np.concatenate([sample.strategy for sample, _ in samples]),
        np.concatenate([np.column_stack([s.scores, np.full(len(s), is_high)]) for s, is_high in samples]),
    )

    def figures(part: Sample, strategy: str | None) -> tuple[Finding, ...]:
        estimate = auc(part.scores[:, 0], part.scores[:, 1] > 0, part.problem)
        return (finding(UNRELATED, "auc", strategy, estimate, len(part), bands, "high controls against unrelated"),)

    return by_strategy(pooled.part(~np.isnan(pooled.scores[:, 0])), figures)


def auc(scores: NDArray[np.float64], is_high: NDArray[np.bool_], problem: NDArray[np.str_]) -> Estimate:
    """Chance that a high control's score is above a low one's, a tie counting half (Mann and Whitney 1947).

    Args:
        scores: (N,) without NaN.
        is_high: (N,) which should be high.
        problem: (N,) the clusters.
    """
    levels = np.unique(scores)
    at = scores[:, None] == levels
    sums = sums_by(codes_of(problem), [*(at & is_high[:, None]).T, *(at & ~is_high[:, None]).T])
    found = of_sums(_auc_of_sums, sums, bounds=(0.0, 1.0))
    few = int(min(is_high.sum(), (~is_high).sum()))
    return of_equal(found, few, (0.0, 1.0)) if found.se == 0.0 else found


def _auc_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) from (..., 2 L): how many high ones have each score, then how many low ones."""
    high, low = np.split(sums, 2, axis=-1)
    below = np.cumsum(low, axis=-1) - low / 2
    return ratio((high * below).sum(axis=-1), high.sum(axis=-1) * low.sum(axis=-1))
