"""The best of many chosen on one half of the evidence and scored on the other.

The best of M candidates looks better than it is where it is scored on what it was chosen by: with candidates that are
all alike the maximum still lies above the mean. Scored on values that had no part in the choice it has no such lead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def chosen_values(contexts: NDArray[np.integer], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """What each piece of evidence says of the candidate that the other half of its context would choose.

    The evidence of a context is dealt in turn into two halves, in the order given; of each half the candidate with
    the highest mean is scored on the other half. Of candidates that are equally good the first is taken.

    Args:
        contexts: (N,) which context each piece of evidence belongs to; its candidates are the same for all of it.
        values: (N, M) of each candidate by each piece of evidence; higher is better.

    Returns:
        (N,); NaN where a context has one piece of evidence, or any of its values is NaN.

    Raises:
        ValueError: the shapes do not agree, or there is no candidate.
    """
    if values.ndim != 2 or values.shape[0] != len(contexts) or (len(contexts) and not values.shape[1]):
        raise ValueError(f"values of shape {values.shape} do not belong to {len(contexts)} pieces of evidence")
    if not len(contexts):
        return np.empty(0)
    values = np.asarray(values, np.float64)
    codes = np.unique(contexts, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(codes)
    order = np.argsort(codes, kind="stable")
    turn = np.empty(len(codes), np.intp)
    turn[order] = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    half = 2 * codes + turn % 2
    means = np.zeros((2 * len(sizes), values.shape[1]))
    np.add.at(means, half, values)
    counts = np.bincount(half, minlength=len(means))
    with np.errstate(invalid="ignore", divide="ignore"):
        means /= counts[:, None]
    unknown = np.isnan(means.sum(axis=1))
    choice = np.where(unknown, 0, np.nan_to_num(means, nan=-np.inf).argmax(axis=1))
    other = half ^ 1
    return np.where(unknown[other] | unknown[half], np.nan, values[np.arange(len(values)), choice[other]])
