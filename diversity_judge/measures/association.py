"""Does one figure of a problem go with another, between the strategies that were tried on it?

Both figures are centred within their problem: what is left is how strategies differ on it, and no problem's own
difficulty can make an association. The slope is then the fixed-effects (within) estimator, and the rank correlation is
that of ranks taken within the problems.

The problem is the cluster: the standard error is the delete-one-problem jackknife (CV3 of MacKinnon, Nielsen and Webb
2023, J. Econometrics 232, 272-299) and the interval Student's t with one degree less than there are problems.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from diversity_judge.measures.intervals import Estimate, t_interval

MIN_PROBLEMS = 4
"""Below this the spread of the jackknife says nothing."""
ROUNDING = 1e-12
"""Values this close to their mean, relative to the largest, do not vary."""
METHOD = "delete-one-problem jackknife, t over problems"

_Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def slope_within(x: Sequence[float], y: Sequence[float], problems: Sequence[Hashable]) -> Estimate:
    """Slope of y on x within problems.

    Args:
        x: (M,) without NaN.
        y: (M,) without NaN.
        problems: (M,) what each belongs to.

    Returns:
        NaN with a reason where x does not vary within a problem; `n` counts the problems in which it does.
    """
    codes = _codes(problems)
    return _jackknifed(_slope, _centred(x, codes), _centred(y, codes), codes, None)


def rank_correlation_within(x: Sequence[float], y: Sequence[float], problems: Sequence[Hashable]) -> Estimate:
    """Rank correlation of x and y within problems: the correlation of ranks that are taken and centred within each.

    Of one problem it is Spearman's. Arguments and what comes back as for `slope_within`.
    """
    codes = _codes(problems)
    return _jackknifed(
        _correlation, _centred(_ranks(x, codes), codes), _centred(_ranks(y, codes), codes), codes, (-1.0, 1.0)
    )


def _codes(names: Sequence[Hashable]) -> NDArray[np.intp]:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def _centred(values: Sequence[float] | NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return array
    centred = array - (np.bincount(codes, array) / np.bincount(codes))[codes]
    centred[np.abs(centred) <= ROUNDING * np.abs(array).max()] = 0.0
    return centred


def _ranks(values: Sequence[float], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    array, ranks = np.asarray(values, dtype=np.float64), np.empty(len(values))
    for code in np.unique(codes):
        ranks[codes == code] = stats.rankdata(array[codes == code])
    return ranks


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(x @ y / (x @ x)) if x.any() else float("nan")


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(x @ y / np.sqrt((x @ x) * (y @ y))) if x.any() and y.any() else float("nan")


def _jackknifed(
    statistic: _Statistic,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    codes: NDArray[np.intp],
    bounds: tuple[float, float] | None,
) -> Estimate:
    """A statistic of centred values with its interval over problems; those in which x does not vary say nothing."""
    telling = np.unique(codes[x != 0])
    value, n, nan = statistic(x, y), len(telling), float("nan")
    if np.isnan(value):
        return Estimate(nan, nan, nan, nan, n, METHOD, "one of the two does not vary within any problem")
    without = np.array([statistic(x[codes != code], y[codes != code]) for code in telling])
    if n < MIN_PROBLEMS or np.isnan(without).any():
        reason = f"they vary in {n} problems; an interval needs {MIN_PROBLEMS}"
        return Estimate(value, nan, nan, nan, n, METHOD, reason)
    se = float(np.sqrt((n - 1) / n * ((without - value) ** 2).sum()))
    low, high = t_interval(value, se, n, bounds=None)
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Estimate(value, low, high, se, n, METHOD)
