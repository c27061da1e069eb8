"""Is the judge's error different for different strategies? Only then does a difference of strategies suffer.

An error that all strategies have cancels in a difference. What does not cancel is seen where the right answer is known
and the same for all strategies: on the controls at both ends of the scale, and on labels. Each strategy is held against
the mean of the others; problems that several strategies share are left out together by the jackknife, so that a
comparison on the same problems gains from it. The intervals of a metric hold together with 95 % (Bonferroni over its
contrasts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diversity_judge.bands import Bands
from diversity_judge.measures.clustered import CONFIDENCE, codes_of, of_equal, of_sums, ratio, sums_by
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.controls import HIGH, UNRELATED
from diversity_judge.measures.probes.findings import Finding, finding
from diversity_judge.measures.probes.retest import pooled_sd, within
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.rubric import MAX_SCORE

PROBE = "strategy"
_SPAN = (-float(MAX_SCORE), float(MAX_SCORE))


def strategy_findings(
    controls: Mapping[str, Sample], retest: Sample | None, bands: Bands, labels: Sample | None = None
) -> tuple[Finding, ...]:
    """Each strategy's error minus the mean of the others', wherever it can be seen; none for a single strategy.

    Args:
        controls: By probe, (N,) scores; the high ones and the unrelated ones are used.
        retest: (N, K) draws; None where they were not bought.
        bands: What is innocent.
        labels: (N,) judge minus label; None where there are none.
    """
    high = [controls[probe] for probe in HIGH if probe in controls]
    low = [controls[UNRELATED]] if UNRELATED in controls else []
    ends = {"error_low": low, "error_high": high, "error_labels": [] if labels is None else [labels]}
    families = {metric: [_known(sample) for sample in samples] for metric, samples in ends.items() if samples}
    strategies = list(dict.fromkeys(name for samples in families.values() for s in samples for name in s.strategies))
    found: list[Finding] = []
    if len(strategies) > 1:
        confidence = _simultaneous(len(strategies))
        for metric, samples in families.items():
            n_of = {name: sum(int((s.strategy == name).sum()) for s in samples) for name in strategies}
            for name, estimate in _contrasts(samples, strategies, confidence).items():
                note = f"{name} minus the mean of the others, points"
                found.append(finding(PROBE, metric, name, estimate, n_of[name], bands, note))
    return (*found, *(() if retest is None else _noise_ratios(retest, bands)))


def _simultaneous(strategies: int) -> float:
    """Confidence of each interval at which all hold together; of two strategies one contrast is the other's mirror."""
    return 1 - (1 - CONFIDENCE) / (1 if strategies == 2 else strategies)


def _contrasts(samples: Sequence[Sample], strategies: Sequence[str], confidence: float) -> dict[str, Estimate]:
    """Means within each control, so that a strategy with more of one of them is not compared on the mixture."""
    pooled = codes_of(np.concatenate([sample.problem for sample in samples]))
    parts = np.split(pooled, np.cumsum([len(sample) for sample in samples])[:-1])
    g, width = int(pooled.max()) + 1, len(strategies)
    sums = np.zeros((g, len(samples), width, 2))
    for k, (sample, codes) in enumerate(zip(samples, parts, strict=True)):
        for s, name in enumerate(strategies):
            members = sample.strategy == name
            own = sums_by(codes[members], [sample.scores[members], np.ones(int(members.sum()))])
            sums[: len(own), k, s] = own
    shape = sums.shape[1:]
    found = {}
    for s, name in enumerate(strategies):

        def contrast(flat: NDArray[np.float64], s: int = s) -> NDArray[np.float64]:
            table = flat.reshape(*flat.shape[:-1], *shape)
            means = ratio(table[..., 0], table[..., 1])
            return np.asarray((means[..., s] - np.delete(means, s, axis=-1).mean(axis=-1)).mean(axis=-1))

        estimate = of_sums(contrast, sums.reshape(g, -1), confidence=confidence)
        fewest = int(min(sample.strategy.tolist().count(name) for sample in samples))
        found[name] = of_equal(estimate, fewest, _SPAN) if estimate.se == 0.0 else estimate
    return found


def _noise_ratios(retest: Sample, bands: Bands) -> list[Finding]:
    """Each strategy's retest spread over that of the others together."""
    squares, degrees = within(retest.scores)
    codes, strategies = codes_of(retest.problem), retest.strategies
    if len(strategies) < 2:
        return []
    confidence = _simultaneous(len(strategies))
    found = []
    for name in strategies:
        mine = retest.strategy == name
        columns = [squares * mine, degrees * mine, squares * ~mine, degrees * ~mine]
        estimate = of_sums(_sd_ratio, sums_by(codes, columns), scale="log", confidence=confidence)
        if np.isnan(estimate.value):
            estimate = replace(estimate, reason="one of the two shows no noise")
        note = "retest spread over that of the other strategies"
        found.append(finding(PROBE, "retest_sd_ratio", name, estimate, int((mine & (degrees > 0)).sum()), bands, note))
    return found


def _sd_ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return ratio(pooled_sd(sums[..., :2]), pooled_sd(sums[..., 2:]))


def _known(sample: Sample) -> Sample:
    return sample.part(~np.isnan(sample.scores))
