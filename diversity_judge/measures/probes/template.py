"""Do other words of the same rubric give other scores?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diversity_judge.bands import Bands
from diversity_judge.measures.clustered import CONFIDENCE, mean_of
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.findings import Finding, by_strategy, finding
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.rubric import MAX_SCORE

PROBE = "template"
_SPAN = (-float(MAX_SCORE), float(MAX_SCORE))


def template_findings(base: Sample, others: Mapping[str, NDArray[np.float64]], bands: Bands) -> tuple[Finding, ...]:
    """Worst change of the diversity and of scores among the phrasings; of all pairs and of each strategy's.

    The worst of several is chosen by looking, so its interval is Bonferroni's for their number.

    Args:
        base: (N,) scores by the run's template.
        others: By template, (N,) scores of the same pairs.
        bands: What is innocent.
    """
    if not others:
        return ()
    names = list(others)
    shifts = base.with_scores(np.stack([others[name] - base.scores for name in names], axis=1))

    def figures(part: Sample, strategy: str | None) -> tuple[Finding, ...]:
        confidence = 1 - (1 - CONFIDENCE) / len(names)
        each = [
            mean_of(part.scores[:, t], part.problem, bounds=_SPAN, confidence=confidence) for t in range(len(names))
        ]
        sizes = [0.0 if np.isnan(estimate.value) else abs(estimate.value) for estimate in each]
        worst = int(np.argmax(sizes))
        changes = np.abs(part.scores[:, worst])
        n = int((~np.isnan(changes)).sum())
        estimates = {
            "change_of_diversity": _as_diversity(each[worst]),
            "mean_change_of_a_score": mean_of(changes, part.problem, bounds=(0.0, MAX_SCORE)),
            "largest_change_of_a_score": _alone(float(np.nanmax(changes)) if n else float("nan"), each[worst].n),
        }
        note = f"worst of {len(names)}: {names[worst]}"
        return tuple(finding(PROBE, m, strategy, e, n, bands, note) for m, e in estimates.items())

    judged = np.asarray((~np.isnan(shifts.scores)).any(axis=1))
    return by_strategy(shifts.part(judged), figures)


def _as_diversity(shift: Estimate) -> Estimate:
    """A shift of scores as the change of diversity that it makes: of opposite sign, over 5."""
    return replace(
        shift,
        value=-shift.value / MAX_SCORE,
        low=-shift.high / MAX_SCORE,
        high=-shift.low / MAX_SCORE,
        se=shift.se / MAX_SCORE,
    )


def _alone(value: float, n: int) -> Estimate:
    nan = float("nan")
    return Estimate(value, nan, nan, nan, n, "", "a largest value has no interval")
