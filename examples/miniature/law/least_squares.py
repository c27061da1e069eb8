"""Weighted least squares of y = a exp(z . t), for thousands of resamplings at once.

Row 0 is what was measured: it is looked for from a grid of starts, in which `a` has its closed form. The other rows
start where row 0 ended and take the same damped steps (Levenberg 1944, Q. Appl. Math. 2, 164-168), all in one array.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

_STARTS = (-3.0, -1.0, -0.3, 0.0, 0.3, 1.0, 3.0)
"""Of each exponent, in units of 1 / standard deviation of its feature."""
_FURTHEST = 12.0
"""No exponent is looked for beyond this, in the same units: between two typical cells, a factor of 160,000."""
_STEPS = 40
_CLOSE = 1e-8
"""A step that gains less than this share of the error left is the last one."""
_STUCK = 1e12
"""Damping beyond which no step is left that would be seen."""
_HAIR = 1e-12
_LARGEST = 100.0
"""Exponents end here, far beyond any law: a draw that nothing fits is to be a bad one, not infinite."""


def fitted(y: NDArray[np.float64], features: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, 1 + q) `a` and the exponents of each row.

    Args:
        y: (R, K) row 0 first.
        features: (q, R, K), or (q, 1, K) where all rows have the same.
        weights: (K,) of the squared errors.

    Raises:
        ValueError: there are fewer cells than parameters.
    """
    n_rows, n_cells = y.shape
    n_features = len(features)
    if n_cells < 1 + n_features:
        raise ValueError(f"{n_cells} cells can't tell {1 + n_features} parameters")
    centre, scale = features[:, 0].mean(axis=1), features[:, 0].std(axis=1)
    scale = np.where(scale > 0, scale, 1.0)
    z = (features - centre[:, None, None]) / scale[:, None, None]
    start = _first(y[0], z[:, 0], weights)
    found = _damped(y, z, weights, np.tile(start, (n_rows, 1)))
    exponents = found[:, 1:] / scale
    a = found[:, 0] * np.exp(np.clip(-exponents @ centre, -_LARGEST, _LARGEST))
    return np.column_stack([a, exponents])


def curve(parameters: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, K) a exp(z . t) of (R, 1 + q) parameters at (q, R or 1, K) features."""
    return np.asarray(parameters[:, :1] * _shape(parameters[:, 1:], features))


def _shape(exponents: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, K) exp(z . t)."""
    total = np.zeros((len(exponents), features.shape[-1]))
    for exponent, feature in zip(exponents.T, features, strict=True):
        total += exponent[:, None] * feature
    return np.asarray(np.exp(np.clip(total, -_LARGEST, _LARGEST, out=total), out=total))


def _first(y: NDArray[np.float64], z: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 + q,) the best start: of each combination of exponents the best `a`."""
    exponents = np.array(list(product(_STARTS, repeat=len(z))), dtype=np.float64)
    shapes = np.exp(exponents @ z)
    a = (shapes * weights) @ y / ((shapes**2) @ weights)
    errors = ((y - a[:, None] * shapes) ** 2) @ weights
    best = int(np.argmin(errors))
    return np.concatenate([[a[best]], exponents[best]])


def _damped(
    y: NDArray[np.float64], z: NDArray[np.float64], weights: NDArray[np.float64], parameters: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The parameters after as many steps as they need; each row has a damping of its own."""
    damping = np.full(len(y), 1e-3)
    values = curve(parameters, z)
    error = ((y - values) ** 2) @ weights
    going = np.arange(len(y))
    for _ in range(_STEPS):
        here = z if z.shape[1] == 1 else z[:, going]
        step = _step(parameters[going], here, y[going] - values[going], weights, damping[going])
        tried = parameters[going] + step
        tried[:, 1:] = np.clip(tried[:, 1:], -_FURTHEST, _FURTHEST)
        tried_values = curve(tried, here)
        with np.errstate(over="ignore"):  # a step that ends so far out gains nothing, and is not taken
            tried_error = ((y[going] - tried_values) ** 2) @ weights
        gained = error[going] - tried_error
        better = gained > 0
        ended = (better & (gained <= _CLOSE * error[going])) | (damping[going] > _STUCK) | (error[going] == 0)
        moved = going[better]
        parameters[moved], values[moved], error[moved] = tried[better], tried_values[better], tried_error[better]
        damping[going] *= np.where(better, 0.2, 5.0)
        going = going[~ended]
        if not len(going):
            break
    return parameters


def _step(
    parameters: NDArray[np.float64],
    z: NDArray[np.float64],
    residuals: NDArray[np.float64],
    weights: NDArray[np.float64],
    damping: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(R, 1 + q) the damped step of each row."""
    shapes = _shape(parameters[:, 1:], z) * np.sqrt(weights)
    values = parameters[:, :1] * shapes
    slopes = [shapes, *(values * feature for feature in z)]
    errors = residuals * np.sqrt(weights)
    normal = np.array([[np.einsum("rk,rk->r", one, other) for other in slopes] for one in slopes]).transpose(2, 0, 1)
    towards = np.array([np.einsum("rk,rk->r", slope, errors) for slope in slopes]).T[..., None]
    diagonal = np.einsum("rii->ri", normal)
    # A hair of the largest keeps the system solvable where `a` is 0 and the exponents change nothing.
    ridge = damping[:, None] * diagonal + _HAIR * diagonal.max(axis=1, keepdims=True)
    return np.asarray(np.linalg.solve(normal + ridge[:, :, None] * np.eye(normal.shape[1]), towards)[..., 0])
