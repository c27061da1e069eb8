"""What does a score depend on besides the reasoning?

Scores are regressed on what should not matter, within the groups (a problem under a strategy): neither a problem's
difficulty nor what a strategy does to everything can make an association. Least squares; the standard errors are the
delete-one-problem jackknife (CV3), the intervals Student's t with one degree less than problems. It is an association:
responses that differ in length may differ in approach too. The controls change one thing and leave the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from diversity_judge.bands import Bands
from diversity_judge.measures.clustered import METHOD, MIN_CLUSTERS, codes_of, jackknife_se
from diversity_judge.measures.intervals import Estimate, t_interval
from diversity_judge.measures.probes.findings import Finding, finding
from diversity_judge.measures.probes.sample import Sample

PROBE = "nuisance"
NOTE = "points for one more, the others held; an association, not a cause"
MOST_MISSING = 0.5
"""A covariate unknown for more of the pairs is left out: it would take the others' pairs with it."""
_SINGULAR = 1e-9


def nuisance_findings(
    sample: Sample, covariates: Mapping[str, NDArray[np.float64]], bands: Bands
) -> tuple[Finding, ...]:
    """One coefficient a covariate, with its interval.

    Args:
        sample: (N,) scores of all pairs of a run.
        covariates: By name, (N,); NaN where unknown.
        bands: What is innocent.

    Returns:
        NaN with a reason for a covariate that is unknown for most pairs or does not vary within a group.
    """
    found = coefficients(sample, covariates)
    return tuple(finding(PROBE, name, None, found[name][0], found[name][1], bands, NOTE) for name in covariates)


def coefficients(sample: Sample, covariates: Mapping[str, NDArray[np.float64]]) -> dict[str, tuple[Estimate, int]]:
    """Coefficient of each covariate, in points a unit, with the number of pairs that it comes from."""
    known = ~np.isnan(sample.scores)
    nan = float("nan")
    found: dict[str, tuple[Estimate, int]] = {}
    used: dict[str, NDArray[np.float64]] = {}
    for name, column in covariates.items():
        missing = float(np.isnan(column[known]).mean()) if known.any() else 1.0
        if missing > MOST_MISSING:
            found[name] = Estimate(nan, nan, nan, nan, 0, METHOD, f"unknown for {missing:.0%} of the pairs"), 0
        else:
            used[name] = column
    for column in used.values():
        known = known & ~np.isnan(column)
    codes, groups = codes_of(sample.problem[known]), _groups(sample, known)
    columns = {name: _centred(column[known], groups) for name, column in used.items()}
    telling = {name: column for name, column in columns.items() if column.any()}
    for name in columns.keys() - telling.keys():
        found[name] = Estimate(nan, nan, nan, nan, 0, METHOD, "does not vary within any group"), int(known.sum())
    if telling:
        x, y = np.stack(list(telling.values()), axis=1), _centred(sample.scores[known], groups)
        for name, estimate in zip(telling, _fitted(x, y, codes), strict=True):
            found[name] = estimate, int(known.sum())
    return found


def _fitted(x: NDArray[np.float64], y: NDArray[np.float64], codes: NDArray[np.intp]) -> list[Estimate]:
    g, width, nan = int(codes.max()) + 1, x.shape[1], float("nan")
    products = np.zeros((g, width, width + 1))
    for code in range(g):
        members = codes == code
        products[code] = x[members].T @ np.column_stack([x[members], y[members]])
    values = _solved(products.sum(axis=0)[None])[0]
    if np.isnan(values).any():
        return [Estimate(nan, nan, nan, nan, g, METHOD, "two covariates cannot be told apart")] * width
    without = _solved(products.sum(axis=0) - products)
    if g < MIN_CLUSTERS or np.isnan(without).any():
        reason = f"{g} problem(s) or one that decides alone; an interval needs {MIN_CLUSTERS}"
        return [Estimate(float(value), nan, nan, nan, g, METHOD, reason) for value in values]
    estimates = []
    for value, column in zip(values, without.T, strict=True):
        se = jackknife_se(column)
        low, high = t_interval(float(value), se, g, bounds=None)
        estimates.append(Estimate(float(value), low, high, se, g, METHOD))
    return estimates


def _solved(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, K) coefficients from (B, K, K + 1) products; NaN where the covariates cannot be told apart."""
    left, right = products[..., :-1], products[..., -1:]
    scale = np.sqrt(np.diagonal(left, axis1=-2, axis2=-1))
    safe = np.where(scale > 0, scale, 1.0)
    correlation = left / safe[..., :, None] / safe[..., None, :]
    singular = (scale <= 0).any(axis=-1) | (np.linalg.det(correlation) < _SINGULAR)
    correlation[singular] = np.eye(left.shape[-1])
    solved = np.linalg.solve(correlation, right / safe[..., None])[..., 0] / safe
    solved[singular] = np.nan
    return np.asarray(solved)


def _groups(sample: Sample, known: NDArray[np.bool_]) -> NDArray[np.intp]:
    problem, strategy = codes_of(sample.problem[known]), codes_of(sample.strategy[known])
    joint = problem * (int(strategy.max()) + 1 if len(strategy) else 1) + strategy
    groups: NDArray[np.intp] = np.unique(joint, return_inverse=True)[1].reshape(-1)
    return groups


def _centred(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    if not len(values):
        return values
    centred = values - (np.bincount(groups, values) / np.bincount(groups))[groups]
    centred[np.abs(centred) <= 1e-12 * max(1.0, float(np.abs(values).max()))] = 0.0
    return np.asarray(centred)
