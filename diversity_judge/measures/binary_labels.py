"""A judge of 0..5 against labels that say only whether two responses are similar: AUC, and the best threshold.

Terms, used with just these meanings below:
    positive: a pair that people called similar.
    threshold: the judge calls a pair similar from this score on.
    balanced accuracy: mean of the shares of positives and of negatives that a threshold gets right; it does not depend
        on how many of the pairs are similar, and 0.5 is chance.
    optimism: how much better a threshold looks on the pairs on which it was chosen than on others.

The best threshold is the one with the highest balanced accuracy (Youden 1950), the lowest of equals. Chosen and judged
on the same pairs it looks better than it is; the optimism is Efron's (1983, JASA 78, 316-331), by resampled problems:
the mean of what a threshold chosen on a resample gains there over what it gains on the pairs themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import codes_of, of_equal, of_sums, ratio, sums_by
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.probes.controls import auc

RESAMPLES = 2_000
SEED = 0
_TAIL = 0.025
_DIGITS = 9


@dataclass(frozen=True)
class BinaryAgreement:
    """How well a judge's scores tell similar pairs from others.

    Attributes:
        strategy: The strategy; None: all together.
        n_problems: Problems.
        n_pairs: Pairs with a score and a label.
        n_similar: Of these, those that people called similar.
        auc: Chance that a similar pair has a higher score than another one, a tie counting half.
        threshold: The best; NaN where all labels are equal.
        threshold_low: Lower end of 95 % of the thresholds that resamples choose.
        threshold_high: Upper end.
        threshold_share: Share of the resamples that choose this threshold.
        sensitivity: Share of similar pairs at or above it.
        specificity: Share of the others below it.
        accuracy: Share of all pairs that it gets right.
        balanced_accuracy: At it, as it looks on these pairs.
        optimism: By how much that is too good.
    """

    strategy: str | None
    n_problems: int
    n_pairs: int
    n_similar: int
    auc: Estimate
    threshold: float
    threshold_low: float
    threshold_high: float
    threshold_share: float
    sensitivity: float
    specificity: float
    accuracy: float
    balanced_accuracy: Estimate
    optimism: float

    @property
    def corrected(self) -> float:
        """Balanced accuracy without the optimism."""
        return self.balanced_accuracy.value - self.optimism


def binary_agreements(
    scores: NDArray[np.float64],
    is_similar: NDArray[np.bool_],
    problem: NDArray[np.str_],
    strategy: NDArray[np.str_],
) -> tuple[BinaryAgreement, ...]:
    """One a strategy, in order of appearance, and last that of all together.

    Args:
        scores: (N,) of the judge, without NaN.
        is_similar: (N,) what people say.
        problem: (N,) the clusters.
        strategy: (N,) of the pairs.
    """
    names: Sequence[str] = list(dict.fromkeys(strategy.tolist()))
    parts = [(name, strategy == name) for name in names]
    each = (binary_agreement(scores[at], is_similar[at], problem[at], name) for name, at in parts)
    return *each, binary_agreement(scores, is_similar, problem, None)


def binary_agreement(
    scores: NDArray[np.float64], is_similar: NDArray[np.bool_], problem: NDArray[np.str_], strategy: str | None = None
) -> BinaryAgreement:
    """AUC, best threshold and its optimism over some pairs; arguments as for `binary_agreements`."""
    levels, sums = _histograms(scores, is_similar, problem)
    n_problems, total = len(sums), sums.sum(axis=0)
    roc = auc(scores.round(_DIGITS), is_similar, problem) if len(scores) else _nothing()
    balanced = _balanced(total)
    nan = float("nan")
    if len(scores) == 0 or np.isnan(balanced).all():
        return BinaryAgreement(
            strategy, n_problems, len(scores), int(is_similar.sum()), roc, nan, nan, nan, nan, nan, nan, nan,
            _nothing(), nan,
        )  # fmt: skip
    best = int(np.nanargmax(balanced))
    at_best = of_sums(lambda s: _balanced(s)[..., best], sums, bounds=(0.0, 1.0))
    if at_best.se == 0.0:
        at_best = of_equal(at_best, int(min(is_similar.sum(), (~is_similar).sum())), (0.0, 1.0))
    chosen, optimism = _resampled(sums, balanced)
    low, high = np.quantile(levels[chosen], [_TAIL, 1 - _TAIL], method="inverted_cdf") if len(chosen) else (nan, nan)
    says = scores.round(_DIGITS) >= levels[best]
    return BinaryAgreement(
        strategy,
        n_problems,
        len(scores),
        int(is_similar.sum()),
        roc,
        float(levels[best]),
        float(low),
        float(high),
        float(np.mean(chosen == best)) if len(chosen) else nan,
        float(says[is_similar].mean()),
        float((~says[~is_similar]).mean()),
        float((says == is_similar).mean()),
        at_best,
        optimism,
    )


def crossfitted(
    scores: NDArray[np.float64], is_similar: NDArray[np.bool_], problem: NDArray[np.str_]
) -> NDArray[np.float64]:
    """(N,) 1 where the judge calls a pair similar, else 0, by the threshold that all other problems choose.

    So no label has a say in what is held against it.

    Args:
        scores: (N,) of the judge, without NaN.
        is_similar: (N,) what people say.
        problem: (N,) the clusters.
    """
    levels, sums = _histograms(scores, is_similar, problem)
    balanced = _balanced(sums.sum(axis=0) - sums)
    thresholds = np.where(np.isnan(balanced).all(axis=-1), np.nan, levels[np.nan_to_num(balanced).argmax(axis=-1)])
    mine = thresholds[codes_of(problem)]
    return np.where(np.isnan(mine), np.nan, (scores.round(_DIGITS) >= mine).astype(np.float64))


def _nothing() -> Estimate:
    nan = float("nan")
    return Estimate(nan, nan, nan, nan, 0, "", "the labels do not vary")


def _histograms(
    scores: NDArray[np.float64], is_similar: NDArray[np.bool_], problem: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(L,) the scores that occur, and (G, 2 L): by problem, how many positives, then negatives, have each."""
    rounded = scores.round(_DIGITS)
    levels = np.unique(rounded)
    at = rounded[:, None] == levels
    return levels, sums_by(codes_of(problem), [*(at & is_similar[:, None]).T, *(at & ~is_similar[:, None]).T])


def _balanced(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., L) balanced accuracy of each level as threshold, from (..., 2 L)."""
    positive, negative = np.split(sums, 2, axis=-1)
    hits = np.cumsum(positive[..., ::-1], axis=-1)[..., ::-1]
    right = np.cumsum(negative, axis=-1) - negative
    sensitivity = ratio(hits, np.broadcast_to(positive.sum(axis=-1, keepdims=True), hits.shape))
    specificity = ratio(right, np.broadcast_to(negative.sum(axis=-1, keepdims=True), right.shape))
    return np.asarray((sensitivity + specificity) / 2)


def _resampled(sums: NDArray[np.float64], balanced: NDArray[np.float64]) -> tuple[NDArray[np.intp], float]:
    """The thresholds (as places of levels) that resampled problems choose, and the optimism."""
    g = len(sums)
    times = np.random.default_rng(SEED).multinomial(g, np.full(g, 1 / g), RESAMPLES).astype(np.float64)
    drawn = _balanced(times @ sums)
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    if len(drawn) == 0:
        return np.empty(0, np.intp), float("nan")
    chosen = drawn.argmax(axis=1)
    gained = np.take_along_axis(drawn, chosen[:, None], axis=1)[:, 0] - balanced[chosen]
    return chosen, float(gained.mean())
