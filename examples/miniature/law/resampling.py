"""Problems drawn again: the bootstrap over problems, for all cells of a task at once.

A problem that is drawn is drawn in every cell, so whatever cells have in common (the same problems, the same tokens
alone beside several settings) stays in the draws. Row 0 is always what was measured, so that one computation gives an
estimate and its draws.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.intervals import Estimate

DRAWS = 2_000
METHOD = "bootstrap over problems, percentiles"


def problem_counts(n_problems: int, draws: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """(1 + draws, P) how often each problem is drawn; once each in row 0."""
    drawn = generator.multinomial(n_problems, np.full(n_problems, 1 / n_problems), size=draws)
    return np.vstack([np.ones((1, n_problems)), drawn])


def means(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, C) mean of each cell in each draw.

    Args:
        values: (P, C); a NaN is left out of its cell's mean.
        counts: (R, P).
    """
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray((counts @ np.where(known, values, 0.0)) / (counts @ known.astype(np.float64)))


def estimate(rows: NDArray[np.float64], n: int) -> Estimate:
    """What was measured (row 0), with the interval of its draws; draws without a value (NaN) are left out.

    Args:
        rows: (1 + draws,).
        n: Problems behind it.
    """
    drawn = rows[1:][~np.isnan(rows[1:])]
    if math.isnan(rows[0]) or len(drawn) < 2:
        nan = float("nan")
        return Estimate(float(rows[0]), nan, nan, nan, n, METHOD, "too few draws have a value")
    # By rank, not between ranks: a draw may be infinite (a half that is never reached).
    low, high = np.quantile(drawn, (0.025, 0.975), method="inverted_cdf")
    spread = float(drawn.std(ddof=1)) if np.isfinite(drawn).all() else float("nan")
    return Estimate(float(rows[0]), float(low), float(high), spread, n, METHOD)
