"""How well a judge agrees with a reference that scored the same pairs: in its scores, and in the diversity they give.

Terms, used with just these meanings below:
    tested: the judge that is held against the other one.
    reference: the judge that is taken for the truth, an exact one or a better one.
    pair: two responses of a group, whatever their order; its score is the mean over orders and draws.
    table: a square of counts, tested score by reference score; tables of problems can be added up, so resampling is
        cheap.

A judge may agree on many pairs and still be wrong on average, or the other way round, so both stand side by side:
agreement of single scores (exact agreement, kappa, rank correlations, mean absolute error) and bias (of the score and
of the diversity). Diversities are of the pairs that both judges scored, so that they differ by the judge alone.

Pairs of one problem share responses and a problem's peculiarities, so the spread of kappa and of the rank correlation
comes from resampling whole problems: resampled pairs would pass for far more evidence than there is. Of this bootstrap
only the standard error is used, in Student's t on the logit as everywhere else: its percentiles are far too narrow
where problems are few.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.clustered import ratio
from diversity_judge.measures.intervals import Estimate, t_interval
from diversity_judge.measures.paired import mean_difference
from diversity_judge.rubric import MAX_SCORE

N_SCORES = MAX_SCORE + 1
MIN_PROBLEMS = 3
"""Fewer problems have hardly any other resamples than themselves; likewise for a rank correlation of diversities."""
RESAMPLES = 5_000
"""A standard error is then known to one percent."""
SEED = 0
DEFINED_SHARE = 0.95
"""A statistic that more of the resamples than the rest leave undefined gets no interval."""
_METHOD = "resampled problems, t on the logit"
_BOUNDS = (-1.0, 1.0)
"""Of kappa and of a correlation."""

_DIGITS = 9
"""Means that agree in these are equal: in which order a mean was taken must not break a tie."""
_BYTES = 2**26
"""Memory for resampled tables at a time."""

Table = NDArray[np.float64]
"""(..., K, K) counts, tested score by reference score."""


@dataclass(frozen=True, eq=False)
class SharedGroup:
    """The pairs of one group, a problem under a strategy, that two judges were to score.

    Attributes:
        problem_id: The problem.
        strategy: How the responses were sampled.
        tested: (N,) scores 0..5 of the tested judge, NaN where it has none.
        reference: (N,) those of the reference, pair by pair.
        unasked: (N,) bool, the pairs of identical texts, to which the tested judge's run gave 5 without asking it.
    """

    problem_id: str
    strategy: str
    tested: NDArray[np.float64]
    reference: NDArray[np.float64]
    unasked: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Refuse scores that are none.

        Raises:
            ValueError: the arrays have no common shape, or a score lies outside 0..5.
        """
        shapes = {self.tested.shape, self.reference.shape, self.unasked.shape}
        if shapes != {(len(self.tested),)}:
            raise ValueError(f"scores and marks must be (N,), pair by pair, not {sorted(shapes)}")
        for scores in (self.tested, self.reference):
            if np.isinf(scores).any() or (scores < 0).any() or (scores > MAX_SCORE).any():
                raise ValueError(f"a score lies outside 0..{MAX_SCORE:g}; a missing score is NaN")

    @property
    def both(self) -> NDArray[np.bool_]:
        """(N,) bool: the pairs that both have scored."""
        both: NDArray[np.bool_] = ~(np.isnan(self.tested) | np.isnan(self.reference))
        return both

    @property
    def diversity(self) -> float:
        """By the tested judge, of the pairs that both have scored; NaN where there is none."""
        return _diversity(self.tested[self.both])

    @property
    def reference_diversity(self) -> float:
        """By the reference, of the same pairs."""
        return _diversity(self.reference[self.both])


@dataclass(frozen=True)
class Agreement:
    """How well the tested judge agrees with the reference, in one strategy or in all together.

    Attributes:
        strategy: The strategy; None: all together.
        n_problems: Problems with a pair that both have scored.
        n_pairs: Pairs that both have scored.
        n_without_tested: Pairs left out because the tested judge has no score; with the next one, a pair counts in both
            where neither judge has one.
        n_without_reference: Pairs left out because the reference has none.
        n_left_out: Pairs left out, each counted once.
        n_unasked: Pairs of identical texts, to which 5 was given without asking the tested judge.
        exact: Share of equal scores.
        kappa: Quadratic weighted kappa, with its interval over problems.
        kappa_asked: Kappa of the pairs about which the tested judge was asked.
        spearman: Spearman's rank correlation of the scores, likewise.
        kendall: Kendall's tau-b of the scores.
        mean_absolute_error: In points of 0..5.
        score_bias: Mean of tested minus reference, in points.
        diversity_bias: Mean over problems of the diversity by the tested judge minus that by the reference.
        diversity_spearman: Rank correlation of the groups' diversities; NaN with fewer than 3 groups.
    """

    strategy: str | None
    n_problems: int
    n_pairs: int
    n_without_tested: int
    n_without_reference: int
    n_left_out: int
    n_unasked: int
    exact: float
    kappa: Estimate
    kappa_asked: float
    spearman: Estimate
    kendall: float
    mean_absolute_error: float
    score_bias: float
    diversity_bias: Estimate
    diversity_spearman: float


def agreements(groups: Sequence[SharedGroup], *, seed: int = SEED) -> tuple[Agreement, ...]:
    """One agreement a strategy, in order of appearance, and last that of all groups together."""
    strategies = dict.fromkeys(group.strategy for group in groups)
    each = (agreement([g for g in groups if g.strategy == strategy], strategy, seed=seed) for strategy in strategies)
    return *each, agreement(groups, None, seed=seed)


def agreement(groups: Sequence[SharedGroup], strategy: str | None = None, *, seed: int = SEED) -> Agreement:
    """Agreement over some groups.

    Args:
        groups: The groups; those of one problem are resampled together.
        strategy: How the result is named.
        seed: Of the resampling.

    Returns:
        NaN, with a reason where there is a place for one, for what the data cannot say: correlations and kappa where a
        judge gives one score only, intervals with fewer than 3 problems.
    """
    tested, reference = _scored_by_both(groups)
    differences = tested - reference
    tables, levels = problem_tables(groups)
    return Agreement(
        strategy,
        n_problems=len(tables),
        n_pairs=len(tested),
        n_without_tested=sum(int(np.isnan(group.tested).sum()) for group in groups),
        n_without_reference=sum(int(np.isnan(group.reference).sum()) for group in groups),
        n_left_out=sum(int((~group.both).sum()) for group in groups),
        n_unasked=sum(int((group.unasked & group.both).sum()) for group in groups),
        exact=_mean(tested == reference),
        kappa=_over_problems(lambda tables: weighted_kappa(tables, levels), tables, seed),
        kappa_asked=_kappa([_asked(group) for group in groups]),
        spearman=_over_problems(rank_correlation, tables, seed),
        kendall=float(stats.kendalltau(tested, reference).statistic) if _vary(tested, reference) else float("nan"),
        mean_absolute_error=_mean(np.abs(differences)),
        score_bias=_mean(differences),
        diversity_bias=diversity_bias(groups),
        diversity_spearman=_spearman_of_diversities(groups),
    )


def diversity_bias(groups: Sequence[SharedGroup]) -> Estimate:
    """Mean over problems of diversity by the tested judge minus that by the reference, with its interval (`paired`).

    A problem with several strategies counts once, with their mean.
    """
    by_problem: dict[str, list[float]] = {}
    for group in groups:
        if group.both.any():
            by_problem.setdefault(group.problem_id, []).append(group.diversity - group.reference_diversity)
    return mean_difference([float(np.mean(differences)) for differences in by_problem.values()])[0]


def problem_tables(groups: Sequence[SharedGroup]) -> tuple[Table, NDArray[np.float64]]:
    """The scores as counts, problem by problem; problems without a pair that both have scored are left out.

    Returns:
        (P, K, K) tables, and the (K,) scores that their rows and columns stand for: 0..5, and between them the means
        of several judgments of a pair that are not whole.
    """
    shared = [group for group in groups if group.both.any()]
    levels = np.unique(np.concatenate([np.arange(N_SCORES), *_scored_by_both(shared)]))
    places = {problem: place for place, problem in enumerate(dict.fromkeys(group.problem_id for group in shared))}
    tables = np.zeros((len(places), len(levels), len(levels)))
    for group in shared:
        cells = tuple(np.searchsorted(levels, scores) for scores in _scored_by_both([group]))
        np.add.at(tables[places[group.problem_id]], cells, 1)
    return tables, levels


def confusion(groups: Sequence[SharedGroup]) -> NDArray[np.int64]:
    """(6, 6) number of pairs, tested score by reference score; a mean that is not whole has no place in it."""
    tables, levels = problem_tables(groups)
    whole = np.flatnonzero(levels == np.round(levels))
    counts: NDArray[np.int64] = tables.sum(axis=0)[np.ix_(whole, whole)].astype(np.int64)
    return counts


def weighted_kappa(tables: Table, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quadratic weighted kappa of tables of counts: 1 - mean (x - y)^2 / the same with x and y independent.

    Cohen 1968. It equals Lin's (1989) concordance coefficient, which needs no whole scores, so means of several
    judgments are taken as they are, not rounded to a category.

    Returns:
        (...) for (..., K, K); NaN where both judges give one and the same score only.
    """
    shares, rows, columns = _shares(tables)
    weights = (levels[:, None] - levels[None, :]) ** 2
    seen = (shares * weights).sum(axis=(-2, -1))
    expected = np.einsum("...i,...j,ij->...", rows, columns, weights)
    return 1 - ratio(seen, expected)


def rank_correlation(tables: Table) -> NDArray[np.float64]:
    """Spearman's correlation of tables of counts: Pearson's of the ranks, tied scores sharing their mean rank.

    Returns:
        (...) for (..., K, K); NaN where a judge gives one score only.
    """
    shares, rows, columns = _shares(tables)
    row_ranks, column_ranks = (np.cumsum(margin, axis=-1) - margin / 2 - 0.5 for margin in (rows, columns))
    covariance = np.einsum("...ij,...i,...j->...", shares, row_ranks, column_ranks)
    variances = (rows * row_ranks**2).sum(axis=-1) * (columns * column_ranks**2).sum(axis=-1)
    correlation: NDArray[np.float64] = np.clip(ratio(covariance, np.sqrt(variances)), -1.0, 1.0)
    return correlation


def _shares(tables: Table) -> tuple[Table, NDArray[np.float64], NDArray[np.float64]]:
    """Tables as shares of their totals, with the shares of the tested judge's and of the reference's scores."""
    shares = tables / tables.sum(axis=(-2, -1), keepdims=True)
    return shares, shares.sum(axis=-1), shares.sum(axis=-2)


def _over_problems(statistic: Callable[[Table], NDArray[np.float64]], tables: Table, seed: int) -> Estimate:
    """A statistic of all pairs; its standard error is that of resampled problems (cluster bootstrap)."""
    nan, n_problems = float("nan"), len(tables)
    if not n_problems:
        return Estimate(nan, nan, nan, nan, 0, _METHOD, "no pair has a score of both judges")
    value = float(statistic(tables.sum(axis=0)))
    if np.isnan(value):
        return Estimate(nan, nan, nan, nan, n_problems, _METHOD, "the scores do not vary")
    if n_problems < MIN_PROBLEMS:
        reason = f"{n_problems} problem(s); an interval needs {MIN_PROBLEMS}"
        return Estimate(value, nan, nan, nan, n_problems, _METHOD, reason)
    times = np.random.default_rng(seed).multinomial(n_problems, np.full(n_problems, 1 / n_problems), RESAMPLES)
    parts = np.array_split(times.astype(np.float64), 1 + RESAMPLES * tables[0].nbytes // _BYTES)
    drawn = np.concatenate([statistic(np.tensordot(part, tables, axes=1)) for part in parts])
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < DEFINED_SHARE * RESAMPLES:
        return Estimate(value, nan, nan, nan, n_problems, _METHOD, "too many resamples hold one score only")
    # Resamples vary about their own mean, like a variance with n instead of n - 1 in the denominator.
    se = float(drawn.std(ddof=1)) * math.sqrt(n_problems / (n_problems - 1))
    low, high = t_interval(value, se, n_problems, bounds=_BOUNDS)
    return Estimate(value, low, high, se, n_problems, _METHOD)


def _asked(group: SharedGroup) -> SharedGroup:
    """The group without the pairs about which the tested judge was not asked."""
    keep = ~group.unasked
    return replace(
        group, tested=group.tested[keep], reference=group.reference[keep], unasked=np.zeros(int(keep.sum()), np.bool_)
    )


def _kappa(groups: Sequence[SharedGroup]) -> float:
    tables, levels = problem_tables(groups)
    return float(weighted_kappa(tables.sum(axis=0), levels)) if len(tables) else float("nan")


def _scored_by_both(groups: Sequence[SharedGroup]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) scores of the tested judge and (N,) of the reference, of all pairs that both have scored."""
    if not groups:
        return np.empty(0), np.empty(0)
    return (
        np.concatenate([group.tested[group.both] for group in groups]).round(_DIGITS),
        np.concatenate([group.reference[group.both] for group in groups]).round(_DIGITS),
    )


def _spearman_of_diversities(groups: Sequence[SharedGroup]) -> float:
    known = [group for group in groups if group.both.any()]
    ours = np.array([group.diversity for group in known]).round(_DIGITS)
    theirs = np.array([group.reference_diversity for group in known]).round(_DIGITS)
    if len(known) < MIN_PROBLEMS or not _vary(ours, theirs):
        return float("nan")
    return float(stats.spearmanr(ours, theirs).statistic)


def _vary(*samples: NDArray[np.float64]) -> bool:
    """Whether each of them holds more than one value: else there is no order to be compared."""
    return all(len(sample) and float(np.ptp(sample)) > 0 for sample in samples)


def _diversity(scores: NDArray[np.float64]) -> float:
    return 1 - _mean(scores) / MAX_SCORE


def _mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
