"""Does a metric rise with a number that orders the strategies (a temperature)?

On each problem a straight line is fitted through the strategies' values, and its slope is that problem's answer; the
slopes are then treated as paired differences are: one a problem, the larger p of Student's t and of sign flips, and the
interval that belongs to it. Page's test of ordered alternatives looks at ranks alone: it has no size that one could
report, and does not use how far the numbers lie apart. Jonckheere's ignores that strategies meet on the same problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from diversity_judge.measures.paired import PairedDifference, mean_difference


def trend(
    numbers: Sequence[float],
    values: Sequence[Mapping[str, float]],
    *,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    seed: int = 0,
) -> PairedDifference:
    """Mean over problems of the slope of a metric on a number.

    Args:
        numbers: (S,) of the strategies; not all equal.
        values: (S,) each strategy's metric by problem; NaN counts as absent. A problem counts if all have a value.
        bounds: Smallest and largest value of the metric; None where it has none.
        seed: Of the random subsets of problems.

    Returns:
        The estimate in metric units per unit of the number.

    Raises:
        ValueError: there are not two different numbers, or not one mapping a number.
    """
    x = np.asarray(numbers, dtype=np.float64)
    if len(x) != len(values) or len(x) < 2 or np.ptp(x) == 0:
        raise ValueError(f"needs values of strategies with different numbers, not {len(values)} for {list(numbers)}")
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    known = [{problem for problem, value in mine.items() if not np.isnan(value)} for mine in values]
    everywhere = set.intersection(*known)
    problems = tuple(problem for problem in values[0] if problem in everywhere)
    unpaired = tuple(p for p in dict.fromkeys(p for mine in values for p in mine) if p not in everywhere)
    slopes = np.array([weights @ [mine[problem] for mine in values] for problem in problems], dtype=np.float64)
    steepest = None if bounds is None else (0.0, float(weights[weights > 0].sum()) * (bounds[1] - bounds[0]))
    estimate, test = mean_difference(slopes, bounds=steepest, seed=seed)
    sd = float(slopes.std(ddof=1)) if len(slopes) > 1 else float("nan")
    return PairedDifference(estimate, sd, test, problems, unpaired)
