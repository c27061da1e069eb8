"""Diversity of a group of which some pairs were judged, sharpened by a cheap score that all its pairs have.

The difference estimator of PPI++ (Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453), over pairs. With Y the judge's
score of a pair, f the surrogate's, D = Y - lambda f, m judged pairs of N = n (n - 1) / 2:

    theta = mean_judged(Y - lambda f) + lambda mean_all(f)

Which pairs are judged does not depend on the scores, so theta is right for any lambda and any f, good or bad; a good f
only makes it surer. With all pairs judged f cancels and theta is the mean of Y.

Pairs share responses, so the variance is not that of m facts. A pair's score is a mean, an effect of each of its two
responses, and what is the pair's own (the judge's noise too): s is the covariance of two pairs that share a response,
tau the variance of what is the pair's own. In a balanced design the responses' effects on theta do not depend on which
pairs were judged, and only the pairs' own part is thinned:

    V = 4 max(s_Y, 0) / n + max(tau_Y, 0) / N + (1/m - 1/N) max(tau_D, 0),   s_Y = s_D + 2 lambda s_Df + lambda^2 s_ff

where s_ff is known from all N pairs, and s_Df from m times 2 (n - 2) relations. A negative s_D is noise: then tau_D is
the variance of D among the judged pairs, as if they shared nothing. For designs that are not balanced, 1/m is the sum
of the squared weights of the pairs, and max(s_D, 0) (sum of squared weights of the responses - 4/n) is added. The
interval is Student's t with n - 1 degrees of freedom on the logit of the diversity, as for a group without a surrogate.

Lambda minimises V over the OTHER groups: sum of (1/m - 1/N) tau_Yf by the sum of (1/m - 1/N) tau_ff. Fitted on the
group itself it would follow the noise of the pairs whose errors it is to correct, and hide it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.dyadic import covariances, relations
from diversity_judge.measures.intervals import MIN_RESPONSES, NO_SPREAD, Estimate, group_estimate, t_interval
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.rubric import MAX_SCORE

METHOD = "difference to the surrogate, dyadic variance, t on the logit over responses"
"""How the interval was made."""
MIN_PAIRS = 30
"""Judged pairs of other groups below which lambda is not fitted: its noise costs a variance of about 1 / pairs."""


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A cheap score of every pair of a group.

    Attributes:
        values: (n, n) symmetric, in any unit; the diagonal is not looked at.
        coefficient: Lambda: points of the judge a unit of the surrogate. 0 leaves the surrogate out.

    Raises:
        ValueError: the values are not square, not symmetric or not finite.
    """

    values: NDArray[np.float64]
    coefficient: float = 0.0

    def __post_init__(self) -> None:
        off = self.values[~np.eye(len(self.values), dtype=np.bool_)] if self.values.ndim == 2 else np.empty(0)
        if self.values.shape != (len(self.values),) * 2 or not np.isfinite([*off, self.coefficient]).all():
            raise ValueError(
                f"a surrogate has a finite score for every pair, not an array {self.values.shape} with gaps"
            )
        upper, lower = self.values[_above(len(self.values))], self.values.T[_above(len(self.values))]
        if not np.allclose(upper, lower, rtol=1e-9, atol=1e-9):
            raise ValueError("a surrogate is symmetric: the same score whichever response stands first")

    def part(self, members: NDArray[np.bool_]) -> Surrogate:
        """The surrogate of some of the responses.

        Args:
            members: (n,) which.
        """
        return Surrogate(self.values[np.ix_(members, members)], self.coefficient)


@dataclass(frozen=True)
class SlopeMoments:
    """What one group says about lambda: sums over its relations, weighted as they enter the variance.

    Attributes:
        covariance: Of Y and f, of the part that the design thins.
        variance: Of f, likewise.
        n_pairs: Judged pairs.
    """

    covariance: float = 0.0
    variance: float = 0.0
    n_pairs: int = 0


def slope_moments(matrix: SimilarityMatrix, values: NDArray[np.float64]) -> SlopeMoments:
    """What a group says about lambda; nothing where all its pairs or too few are judged.

    Args:
        matrix: (n, n) scores by orientation.
        values: (n, n) the surrogate's scores.
    """
    thinned = _Thinned.of(matrix)
    if thinned is None:
        return SlopeMoments()
    own, cross = _covariances_of_all(values), thinned.cross(thinned.scores, values)
    return SlopeMoments(thinned.thinned_part(*cross), thinned.thinned_part(*own), thinned.n_pairs)


def pooled_coefficients(groups: Sequence[SlopeMoments]) -> list[float]:
    """Lambda of each group, from all the others.

    Args:
        groups: The moments of each.

    Returns:
        0 where the others have fewer than 30 judged pairs, or a surrogate that does not vary.
    """
    if not groups:
        return []
    own = np.array([[group.covariance, group.variance, group.n_pairs] for group in groups])
    # Sums before and after, not all less one's own: the difference of sums would hold a trace of it.
    before, after = np.zeros_like(own), np.zeros_like(own)
    before[1:], after[:-1] = np.cumsum(own[:-1], axis=0), np.cumsum(own[:0:-1], axis=0)[::-1]
    return [
        float(covariance / variance) if n_pairs >= MIN_PAIRS and variance > 0 else 0.0
        for covariance, variance, n_pairs in before + after
    ]


def explained_share(groups: Sequence[tuple[SimilarityMatrix, Surrogate]]) -> float:
    """R2: the share of the thinned part of the judge's variance that lambda f takes away, 1 - tau_D / tau_Y, pooled.

    What responses do to all their pairs is not in it, for a balanced design is not made surer by knowing it. Lambda is
    the other groups', so this may be negative.

    Args:
        groups: Matrix and surrogate of each group, or of one; in one alone it is a rough figure.

    Returns:
        NaN where all pairs are judged, or nothing varies.
    """
    explained = total = 0.0
    for matrix, surrogate in groups:
        thinned = _Thinned.of(matrix)
        if thinned is not None:
            scaled = surrogate.coefficient * surrogate.values
            cross, own = thinned.cross(thinned.scores, scaled)[1], _covariances_of_all(scaled)[1]
            explained, total = explained + 2 * cross - own, total + thinned.own(thinned.scores)[1]
    return min(explained / total, 1.0) if total > 0 else float("nan")


def difference_estimate(matrix: SimilarityMatrix, surrogate: Surrogate, *, confidence: float = 0.95) -> Estimate:
    """Diversity of a group from its judged pairs and the surrogate of all.

    Args:
        matrix: Scores of one group; which pairs are judged must not depend on the scores.
        surrogate: Of the same responses.
        confidence: Between 0 and 1.

    Returns:
        As `group_estimate`, and that very estimate where the surrogate has nothing to add: all pairs are judged, lambda
        is 0, the judged pairs do not vary, they are too few for an interval, or theta leaves the scale.

    Raises:
        ValueError: the surrogate is of another number of responses.
    """
    if len(surrogate.values) != matrix.n_responses:
        raise ValueError(f"a surrogate of {len(surrogate.values)} responses, scores of {matrix.n_responses}")
    plain = group_estimate(matrix, confidence=confidence)
    thinned = _Thinned.of(matrix)
    if thinned is None or not surrogate.coefficient or np.isnan(plain.low) or plain.method == NO_SPREAD:
        return plain
    scaled = surrogate.coefficient * surrogate.values
    left = thinned.scores - np.where(thinned.is_judged, scaled, 0.0)
    theta = thinned.mean(left) + float(scaled[_above(matrix.n_responses)].mean())
    value = 1 - theta / MAX_SCORE
    if not 0 < value < 1:
        return plain
    se = float(np.sqrt(thinned.variance(left, scaled))) / MAX_SCORE
    low, high = t_interval(value, se, plain.n, bounds=(0.0, 1.0), confidence=confidence)
    return Estimate(value, low, high, se, plain.n, METHOD, confidence=confidence)


@dataclass(frozen=True, eq=False)
class _Thinned:
    """The judged pairs of a group of which not all are judged.

    Attributes:
        scores: (n, n) the scores of the judged pairs above the diagonal, 0 elsewhere.
        weights: (n, n) the share of each in the mean, likewise.
    """

    scores: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, matrix: SimilarityMatrix) -> _Thinned | None:
        """None where all pairs are judged, or so few that there is nothing to thin."""
        scored = matrix.scored
        cells = np.triu(scored.astype(np.float64) + scored.T, 1)
        n_judged, n = int((cells > 0).sum()), matrix.n_responses
        if n_judged < 2 or 2 * n_judged >= n * (n - 1):
            return None
        return cls(np.where(cells > 0, matrix.symmetric(), 0.0), cells / cells.sum())

    @property
    def is_judged(self) -> NDArray[np.bool_]:
        """(n, n) above the diagonal."""
        return np.asarray(self.weights > 0)

    @property
    def n_pairs(self) -> int:
        """Judged pairs."""
        return int(self.is_judged.sum())

    @property
    def n(self) -> int:
        """Responses."""
        return len(self.scores)

    @property
    def n_all(self) -> int:
        """All pairs."""
        return self.n * (self.n - 1) // 2

    @property
    def beyond_all(self) -> tuple[float, float]:
        """What the sums of squared weights, of responses and of pairs, are more than with all pairs judged."""
        of_responses = self.weights.sum(axis=0) + self.weights.sum(axis=1)
        responses = float((of_responses**2).sum()) - 4 / self.n
        return max(responses, 0.0), float((self.weights**2).sum()) - 1 / self.n_all

    def thinned_part(self, s: float, tau: float) -> float:
        """The part of a (co)variance that would be gone if all pairs were judged."""
        responses, pairs = self.beyond_all
        return s * responses + tau * pairs

    def mean(self, values: NDArray[np.float64]) -> float:
        """Over the judged pairs; one judged in both orders counts twice, as without a surrogate."""
        return float((self.weights * values).sum())

    def variance(self, left: NDArray[np.float64], scaled: NDArray[np.float64]) -> float:
        """V: of the mean of `left` over the judged pairs plus that of `scaled` over all.

        Args:
            left: (n, n) D at the judged pairs.
            scaled: (n, n) lambda f.
        """
        s_left, tau_left = self.own(left)
        s_cross, tau_cross = self.cross(left, scaled)
        s_scaled, tau_scaled = _covariances_of_all(scaled)
        s = s_left + 2 * s_cross + s_scaled
        if s_left < 0:
            s_left, tau_left = 0.0, float(np.var(left[self.is_judged], ddof=1))
        tau = tau_left + 2 * tau_cross + tau_scaled
        kept = 4 * max(s, 0.0) / self.n + max(tau, 0.0) / self.n_all
        return kept + self.thinned_part(max(s_left, 0.0), max(tau_left, 0.0))

    def own(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """S and tau among the judged pairs; s is 0 where no two of them share a response, or it cannot be told."""
        judged = self.is_judged
        products, counts = relations(values - values[judged].mean(), judged)
        found = covariances(products, counts, self.n_pairs)
        if np.isnan(found).any():
            return 0.0, float(np.var(values[judged], ddof=1))
        return float(found[1]), float(found[0] - 2 * found[1])

    def cross(self, values: NDArray[np.float64], surrogate: NDArray[np.float64]) -> tuple[float, float]:
        """S and tau between values at the judged pairs and the surrogate at all pairs, without bias.

        With R_k the (m, N) 0/1 matrix of the judged and all pairs that are the same pair or share a response, r_k its
        row sums (all alike: 1 and 2 (n - 2)) and u_k its column sums, the residual products e'R_k g have the expected
        value sum_l B_kl c_l with B_kl = m r_k [k = l] - u_k'u_l / m.
        """
        judged, m, above = self.is_judged, self.n_pairs, _above(self.n)
        e = np.where(judged, values - values[judged].mean(), 0.0)
        g = _symmetric_residuals(surrogate)
        by_response = g.sum(axis=1)
        same = float((e * g).sum())
        sharing = float((e * (by_response[:, None] + by_response)).sum()) - 2 * same
        degree = judged.sum(axis=0) + judged.sum(axis=1)
        u_same = judged[above].astype(np.float64)
        u = np.array([u_same, (degree[:, None] + degree)[above] - 2 * u_same])
        system = np.diag([m, m * 2.0 * (self.n - 2)]) - u @ u.T / m
        if np.linalg.cond(system) > 1e9:
            return 0.0, same / max(m - 1, 1)
        pair, s = np.linalg.solve(system, [same, sharing])
        return float(s), float(pair - 2 * s)


def _covariances_of_all(values: NDArray[np.float64]) -> tuple[float, float]:
    """S and tau of a surrogate over all its N pairs.

    Each meets r = 2 (n - 2) others and N - 1 - r none, so that the equations of `dyadic` have the solution
    c_k = (e'R_k e) / (N r_k) + (e'R_same e + e'R_sharing e) / (N (N - 1 - r)), with r_same = 1.
    """
    n, of_pairs = len(values), values[_above(len(values))]
    if n < MIN_RESPONSES:
        return 0.0, float(np.var(of_pairs, ddof=1))
    n_all, met, apart = len(of_pairs), 2 * (n - 2), (n - 2) * (n - 3) // 2
    residuals = _symmetric_residuals(values)
    same = float((residuals**2).sum()) / 2
    sharing = float((residuals.sum(axis=1) ** 2).sum()) - 2 * same
    common = (same + sharing) / (n_all * apart)
    pair, s = same / n_all + common, sharing / (n_all * met) + common
    return s, pair - 2 * s


def _symmetric_residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _above(len(values))
    residuals = np.zeros_like(values)
    residuals[above] = values[above] - values[above].mean()
    return residuals + residuals.T


@lru_cache(maxsize=64)
def _above(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    found = np.triu_indices(n, 1)
    for indices in found:
        indices.flags.writeable = False  # All callers share them.
    return found
