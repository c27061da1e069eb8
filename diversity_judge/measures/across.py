"""How one figure of a problem goes with another, across problems.

Each statistic is a function of sums over problems, so its standard error is that of `clustered`: the problem is left
out.

**Split halves.** Where both figures are made of the same responses, their noise goes together and makes a slope of
nothing; where the first is measured with noise, its slope is flattened. Both are cured by measuring each figure twice,
on two halves of the responses: what a figure is made of in one half shares no noise with the other half, so one half's
figure is the instrument of the other's (Wald's and Durbin's grouping; Angrist and Krueger 1995, J. Bus. Econ. Stat. 13,
225-235):

    slope = cov(x of one half, y of the other) / cov(x of one half, x of the other)

with both ways of choosing the halves pooled. Where problems hardly differ in x the lower covariance is near 0 and a
ratio's standard error says nothing, so the interval is Fieller's (1954, J. R. Stat. Soc. B 16, 175-185): all slopes b
for which the upper covariance - b x the lower one is not told from 0. Of a method that does nothing, in 120 to 1,000
problems of which few depart at all, it holds 0 in 94 to 96 % of simulations, the ratio's in 76 to 99 %.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import CONFIDENCE, MIN_CLUSTERS, codes_of, of_sums, ratio, sums_by
from diversity_judge.measures.intervals import Estimate, t_quantile

FIELLER = "Fieller, by the delete-one-problem jackknife"

Floats = NDArray[np.float64]


def split_slope(x: Floats, y: Floats, *, confidence: float = CONFIDENCE) -> Estimate:
    """Slope of y on x across problems, each figure measured on two halves of the responses.

    Args:
        x: (P, 2) by half.
        y: (P, 2) by half.

        confidence: Between 0 and 1.

    Returns:
        In units of y per unit of x; NaN with a reason where x does not differ between problems, and an interval of NaN
        where it differs too little for the interval to have ends.
    """
    one, other = x.T
    columns = [np.ones(len(x)), one, other, y[:, 0], y[:, 1], one * y[:, 1], other * y[:, 0], one * other]
    sums, n, nan = np.stack(columns, axis=1), len(x), float("nan")
    total = sums.sum(axis=0)
    upper, lower = _covariances(total)
    value = float(ratio(upper, lower))
    if n < MIN_CLUSTERS or np.isnan(value):
        return Estimate(value, nan, nan, nan, n, FIELLER, "problems do not differ in it, or are too few", confidence)
    (vv, vl), (_, ll) = _jackknife_covariance(np.stack(_covariances(total - sums), axis=1))
    squared = t_quantile(confidence, n - 1) ** 2
    # (upper - b lower)^2 <= squared (vv - 2 b vl + b^2 ll), a parabola in b
    a, b, c = lower**2 - squared * ll, upper * lower - squared * vl, upper**2 - squared * vv
    se = float(np.sqrt(max(vv - 2 * value * vl + value**2 * ll, 0.0)) / lower)
    if a <= 0:
        return Estimate(value, nan, nan, se, n, FIELLER, "problems differ too little in it", confidence)
    half = float(np.sqrt(max(b * b - a * c, 0.0)) / a)
    return Estimate(value, float(b / a) - half, float(b / a) + half, se, n, FIELLER, confidence=confidence)


def partial_slope(x: Floats, y: Floats, controls: Floats) -> tuple[Estimate, Estimate]:
    """Slope of y on x across problems where controls are held, and the share of y's remaining spread that x explains.

    Args:
        x: (P,).
        y: (P,).
        controls: (P, C), without a constant; C may be 0.

    Returns:
        The least-squares slope, and the partial R2: 1 - residual squares with x / without.
    """
    rows = np.column_stack([np.ones(len(x)), controls, x, y])
    products = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), rows.shape[1] ** 2)
    slope, explained = (of_sums(partial(_regression, place), products) for place in (0, 1))
    # Near 0 the logit of a share has no interval to speak of.
    return slope, replace(explained, low=max(explained.low, 0.0), high=min(explained.high, 1.0))


def rank_correlation(x: Floats, y: Floats, clusters: NDArray[np.str_ | np.intp]) -> Estimate:
    """Spearman's correlation of figures that come in clusters (decisions of problems), ties with their mean rank.

    Args:
        x: (N,).
        y: (N,).
        clusters: (N,) their problems.
    """
    from scipy.stats import rankdata

    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (x, y))
    sums = sums_by(codes_of(clusters), [np.ones(len(a)), a, b, a * a, b * b, a * b])
    return of_sums(_correlation, sums, bounds=(-1.0, 1.0))


def _covariances(sums: Floats) -> tuple[Floats, Floats]:
    """(...) of x of one half with y of the other, and with x of the other; both ways added."""
    n, one, other, y_one, y_other, cross, crossed, both = np.moveaxis(sums, -1, 0)
    with_y = n * cross - one * y_other + n * crossed - other * y_one
    return with_y / n**2, 2 * (n * both - one * other) / n**2


def _jackknife_covariance(without: Floats) -> Floats:
    """(2, 2) covariance of two statistics from the (G, 2) values that leaving out each problem gives."""
    away = without - without.mean(axis=0)
    return np.asarray((len(without) - 1) / len(without) * away.T @ away)


def _regression(place: int, sums: Floats) -> Floats:
    """Slope of the last but one column, and its partial R2, by the sums of all products (..., K * K)."""
    size = round(sums.shape[-1] ** 0.5)
    products = sums.reshape(*sums.shape[:-1], size, size)
    full, reduced = _residuals(products, size - 1), _residuals(products, size - 2)
    # Left over of x and y once constant and controls are taken out.
    if place == 0:
        return ratio(reduced[..., 0, 1], reduced[..., 0, 0])
    return 1 - ratio(full[..., 0, 0], reduced[..., 1, 1])


def _residuals(products: Floats, n_known: int) -> Floats:
    """Products of what the first columns leave of the others: the Schur complement."""
    known, mixed = products[..., :n_known, :n_known], products[..., :n_known, n_known:]
    rest = products[..., n_known:, n_known:]
    return np.asarray(rest - np.swapaxes(mixed, -1, -2) @ np.linalg.pinv(known, hermitian=True) @ mixed)


def _correlation(sums: Floats) -> Floats:
    n, a, b, aa, bb, ab = np.moveaxis(sums, -1, 0)
    spread = (n * aa - a * a) * (n * bb - b * b)
    return ratio(n * ab - a * b, np.sqrt(np.maximum(spread, 0.0)))
