"""How much of the variance of a score is the judges': two-way analysis of variance of pairs by judges.

Terms, used with just these meanings below:
    pair: what the pairs of responses differ by, as all judges see it.
    judge: how strict a judge is on average.
    disagreement: what a judge says of a pair beyond these two; a judge's own noise is in it.

Model: score = mean + pair + judge + disagreement, all random (Shrout and Fleiss 1979, their case 2). The components are
the unbiased moments of the mean squares, so that a small one may come out below 0. Pairs that a judge has not scored
are left out. Intervals are over problems, with these judges: how much another panel would differ, two or three of them
cannot say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import codes_of, of_sums, sums_by
from diversity_judge.measures.intervals import Estimate

PAIR, JUDGE, DISAGREEMENT = "pair", "judge", "disagreement"
COMPONENTS = (PAIR, JUDGE, DISAGREEMENT)


@dataclass(frozen=True)
class JudgeVariance:
    """Components of the variance of one judge's score of one pair.

    Attributes:
        n_pairs: Pairs that all judges scored.
        n_judges: Judges.
        components: Name to its variance, in points squared.
    """

    n_pairs: int
    n_judges: int
    components: dict[str, Estimate]

    def share(self, name: str) -> float:
        """Share of the whole, components below 0 taken as 0; NaN where nothing varies."""
        sizes = {each: max(0.0, estimate.value) for each, estimate in self.components.items()}
        total = sum(sizes.values())
        return sizes[name] / total if total > 0 else float("nan")


def judge_variance(scores: NDArray[np.float64], problem: NDArray[np.str_]) -> JudgeVariance:
    """The components.

    Args:
        scores: (N, J) of J judges, NaN where one has not scored a pair.
        problem: (N,) the clusters.

    Returns:
        NaN for all components with fewer than two pairs that all judges scored.

    Raises:
        ValueError: there are fewer than two judges.
    """
    n_judges = scores.shape[1]
    if n_judges < 2:
        raise ValueError(f"the variance between judges needs two, not {n_judges}")
    whole = ~np.isnan(scores).any(axis=1)
    table = scores[whole]
    columns = [np.ones(len(table)), table.mean(axis=1) ** 2, (table**2).sum(axis=1), *table.T]
    sums = sums_by(codes_of(problem[whole]), columns)
    found = {
        name: of_sums(lambda s, at=place: _components(s, n_judges)[..., at], sums)  # type: ignore[misc]
        for place, name in enumerate(COMPONENTS)
    }
    return JudgeVariance(len(table), n_judges, found)


def _components(sums: NDArray[np.float64], n_judges: int) -> NDArray[np.float64]:
    """(..., 3) from (..., 3 + J) sums: pairs, squared means of pairs, squares, and each judge's scores."""
    n = sums[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        judge_means = sums[..., 3:] / n[..., None]
        mean = judge_means.mean(axis=-1)
        of_pairs = n_judges * (sums[..., 1] - n * mean**2)
        of_judges = n * ((judge_means - mean[..., None]) ** 2).sum(axis=-1)
        rest = sums[..., 2] - n * n_judges * mean**2 - of_pairs - of_judges
        disagreement = rest / ((n - 1) * (n_judges - 1))
        pair = (of_pairs / (n - 1) - disagreement) / n_judges
        judge = (of_judges / (n_judges - 1) - disagreement) / n
    components: NDArray[np.float64] = np.stack([pair, judge, disagreement], axis=-1)
    return np.where((n > 1)[..., None], components, np.nan)
