"""The similarity matrix of a group, and what is computed from it alone.

A cell without a valid score is neither 0 nor 5: it stays NaN, it is counted, and the diversity is
reported beside the two bounds that filling every hole with 5 or with 0 would give. Everything here
reads the wanted cells only, so a shared ledger that holds more judgments than a run asked for
doesn't change that run's figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.planning.judgment import Judgment
from diversity_judge.rubric import MAX_SCORE

EIGENVALUE_TOLERANCE = 1e-12
"""Eigenvalues of a unit-trace kernel below this are rounding, not structure: far above n * eps for any
feasible n, far below the 1/n of a response that resembles no other."""


@dataclass(frozen=True, eq=False)
class SimilarityMatrix:
    """Judged similarities of the n responses of a group, by orientation.

    Attributes:
        scores: (n, n) float64; `scores[i, j]` is the mean score in 0..5 of the judgments that showed
            response i first and response j second. NaN where that orientation has no valid score.
            The diagonal is NaN.
        wanted: (n, n) bool; the orientations that the plan asked for. With one judgment an unordered
            pair exactly one of `wanted[i, j]` and `wanted[j, i]` is true; with both orders both are;
            with a thinned design some pairs have neither.

    Raises:
        ValueError: The arrays aren't square and of one shape, a diagonal cell is wanted, or a score
            lies outside 0..5.
    """

    scores: NDArray[np.float64]
    wanted: NDArray[np.bool_]

    def __post_init__(self) -> None:
        n = len(self.scores)
        if self.scores.shape != (n, n) or self.wanted.shape != (n, n):
            raise ValueError(f"scores {self.scores.shape} and wanted {self.wanted.shape} must be one square shape")
        if np.diagonal(self.wanted).any():
            raise ValueError("a response is never judged against itself: wanted has a true diagonal cell")
        if np.isinf(self.scores).any() or (self.scores < 0).any() or (self.scores > MAX_SCORE).any():
            raise ValueError(f"a score lies outside 0..{MAX_SCORE:g}; a missing score is NaN")

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(n, n) bool: the wanted orientations that have a score."""
        scored: NDArray[np.bool_] = self.wanted & ~np.isnan(self.scores)
        return scored

    @property
    def n_responses(self) -> int:
        """Number of responses."""
        return len(self.scores)

    @property
    def n_pairs(self) -> int:
        """Number of unordered pairs wanted in at least one orientation."""
        return int(np.triu(self.wanted | self.wanted.T, 1).sum())

    @property
    def n_wanted(self) -> int:
        """Number of wanted cells (oriented pairs)."""
        return int(self.wanted.sum())

    @property
    def n_scored(self) -> int:
        """Number of wanted cells (oriented pairs) that have a score."""
        return int(self.scored.sum())

    @property
    def coverage(self) -> float:
        """Share of the wanted cells that have a score; NaN if none was wanted."""
        return self.n_scored / self.n_wanted if self.n_wanted else float("nan")

    @property
    def diversity(self) -> float:
        """`1 - mean(score) / 5` over the wanted cells that have a score; NaN if none has.

        Chen et al. 2026 (arXiv 2602.02443), section 3.3.
        """
        return _diversity(float(self.scores[self.scored].sum()), self.n_scored)

    @property
    def diversity_if_missing_same(self) -> float:
        """Lower bound: the diversity if every missing wanted cell were 5; NaN if none was wanted."""
        missing = self.n_wanted - self.n_scored
        return _diversity(float(self.scores[self.scored].sum()) + MAX_SCORE * missing, self.n_wanted)

    @property
    def diversity_if_missing_different(self) -> float:
        """Upper bound: the diversity if every missing wanted cell were 0; NaN if none was wanted."""
        return _diversity(float(self.scores[self.scored].sum()), self.n_wanted)

    @property
    def order_asymmetry(self) -> float:
        """Mean of `|scores[i, j] - scores[j, i]|` over the pairs scored in both orders; NaN if none is.

        In points of 0..5. It holds the judge's noise as well as its position bias: 0 only for a judge
        that is repeatable and blind to order.
        """
        both = np.triu(self.scored & self.scored.T, 1)
        return float(np.abs(self.scores - self.scores.T)[both].mean()) if both.any() else float("nan")

    def symmetric(self) -> NDArray[np.float64]:
        """Similarity by unordered pair.

        Returns:
            (n, n) symmetric float64 in 0..5: the mean of the scored orientations, NaN where a pair has
            none, 5 on the diagonal.
        """
        scores = np.where(self.scored, self.scores, 0.0)
        count = self.scored.astype(np.float64)
        total, count = scores + scores.T, count + count.T
        similarity = np.full(total.shape, np.nan)
        np.divide(total, count, out=similarity, where=count > 0)
        np.fill_diagonal(similarity, MAX_SCORE)
        return similarity

    def part(self, members: NDArray[np.bool_]) -> SimilarityMatrix:
        """The matrix of some of the responses.

        Args:
            members: (n,) which.
        """
        both = np.ix_(members, members)
        return SimilarityMatrix(self.scores[both], self.wanted[both])

    def vendi(self, q: float = 1.0) -> VendiScore:
        """Vendi score of `symmetric() / 5`; see `vendi_score`."""
        return vendi_score(self.symmetric() / MAX_SCORE, q)


def build_matrix(n: int, judgments: Sequence[Judgment]) -> SimilarityMatrix:
    """The similarity matrix of n responses; repeated draws of a pair are averaged over those that have a score."""
    total, count = np.zeros((n, n)), np.zeros((n, n))
    wanted = np.zeros((n, n), dtype=np.bool_)
    first = np.array([judgment.pair.first for judgment in judgments], dtype=np.intp)
    second = np.array([judgment.pair.second for judgment in judgments], dtype=np.intp)
    given = np.array([judgment.score for judgment in judgments], dtype=np.float64)  # None is NaN
    is_given = ~np.isnan(given)
    wanted[first, second] = True
    np.add.at(total, (first[is_given], second[is_given]), given[is_given])
    np.add.at(count, (first[is_given], second[is_given]), 1.0)
    with np.errstate(invalid="ignore"):
        scores = np.where(count > 0, total / count, np.nan)
    return SimilarityMatrix(scores, wanted)


@dataclass(frozen=True)
class VendiScore:
    """Effective number of distinct responses, with the size of the repair that it needed.

    Attributes:
        value: Between 1 (all the same) and n (no two alike); NaN when the kernel has a missing cell.
        clipped_mass: Sum of the absolute negative eigenvalues that were set to 0, as a share of the
            kernel's trace. Judge scores are seldom a positive semi-definite kernel: the larger this is,
            the more of the value is the repair's.
        q: Order of the entropy: 1 is Shannon's; smaller weighs rare approaches more, larger less.
    """

    value: float
    clipped_mass: float
    q: float


def vendi_score(kernel: NDArray[np.float64], q: float = 1.0) -> VendiScore:
    """Exponential of the order-q entropy of the eigenvalues of `kernel / n`.

    Repair of an indefinite kernel: negative eigenvalues are set to 0 and the rest is divided by its sum.
    Friedman and Dieng 2023 (arXiv 2210.02410); order q: Pasarkar and Dieng 2024 (arXiv 2310.12952).

    Args:
        kernel: (n, n) symmetric similarities with ones on the diagonal; NaN where missing.
        q: Order, 0 (the rank) to infinity.

    Raises:
        ValueError: The kernel isn't symmetric with a unit diagonal, or q is negative.
    """
    if not q >= 0:
        raise ValueError(f"the order q of a Vendi score must be 0 or more, not {q}")
    n = len(kernel)
    if n == 0 or np.isnan(kernel).any():
        return VendiScore(float("nan"), float("nan"), q)
    if kernel.shape != (n, n) or not np.allclose(kernel, kernel.T) or not np.allclose(np.diagonal(kernel), 1):
        raise ValueError("a Vendi score needs a square symmetric kernel with ones on the diagonal")
    eigenvalues = np.linalg.eigvalsh(kernel / n)
    negative = eigenvalues[eigenvalues < -EIGENVALUE_TOLERANCE]
    kept = eigenvalues[eigenvalues > EIGENVALUE_TOLERANCE]
    return VendiScore(_effective_number(kept / kept.sum(), q), float(-negative.sum()), q)


def population_vendi_2(similarity: NDArray[np.float64]) -> float:
    """Vendi score of order 2 of the population: the effective number of distinct responses that could be sampled.

    1 / mean((S / 5)^2) over pairs of different responses: the Hill number of order 2 (inverse Simpson concentration,
    Leinster and Cobbold 2012) with (S / 5)^2 for the similarity, as Pasarkar and Dieng (2024) have it for a kernel.
    `vendi_score` of order 2 takes each response with itself too, n of n^2 pairs, which is why it cannot exceed n and
    grows with n. The mean over pairs of different responses is unbiased at any n, needs no repair of the kernel, and
    a thinned design gives it too.

    Args:
        similarity: (n, n) symmetric, 0..5, NaN where missing; the diagonal is not looked at.

    Returns:
        1 or more, without an upper end: NaN where no pair has a score, or where all pairs have 0.
    """
    pairs = similarity[np.triu_indices(len(similarity), 1)] / MAX_SCORE
    pairs = pairs[~np.isnan(pairs)]
    return float(1 / (pairs**2).mean()) if pairs.any() else float("nan")


def _effective_number(p: NDArray[np.float64], q: float) -> float:
    """Hill number of order q of the positive probabilities `p`."""
    if q == 1:
        return float(np.exp(-(p * np.log(p)).sum()))
    if np.isinf(q):
        return float(1 / p.max())
    return float((p**q).sum() ** (1 / (1 - q)))


def _diversity(total: float, n_cells: int) -> float:
    return 1 - total / (MAX_SCORE * n_cells) if n_cells else float("nan")
