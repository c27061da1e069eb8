"""The moments that every decomposition of the variance of a diversity is made of.

Within a group the covariance of two scores depends on how their cells are related (`dyadic`): sharing a response it is
s_r^2, the same cell 2 s_r^2 + s_h^2 + s_o^2 + s_e^2 / K with K draws, a cell and its reverse 2 s_r^2 + s_h^2 - s_o^2
(s_r^2 of a response, s_h^2 of a pair, s_o^2 of the order, s_e^2 of a draw). Over problems two spreads are seen, each
with the groups' own sampling variance V in it: of a strategy's values, s_p^2 + s_ps^2 + V, and of the differences of
two strategies on the same problem, 2 (s_ps^2 + V). Two-way layouts say the same: with S strategies on the same problems
the mean square of problems is S times the first less (S - 1) / 2 times the second, that of strategy by problem half the
second.

`components` has them in points with an interval each, for `reliability`; `variances` in units of diversity, for `plan`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from diversity_judge.measures.dyadic import relation_covariances
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.retest import Retest

ByStrategy = Mapping[str, Mapping[str, float]]
"""Values by strategy and problem."""


@dataclass(frozen=True, eq=False)
class JudgedGroup:
    """The scores of one group.

    Attributes:
        problem: Its problem.
        strategy: How its responses were sampled.
        matrix: Its scores by orientation, means of `draws` judgments.
        draws: Judgments of each pair in its order.
        retest: Spread of repeated draws; nothing where each pair was judged once.
    """

    problem: str
    strategy: str
    matrix: SimilarityMatrix
    draws: int = 1
    retest: Retest = field(default_factory=Retest)


@dataclass(frozen=True)
class GroupMoments:
    """What one group says, in squared points of 0..5; unbiased, and so perhaps negative.

    Attributes:
        response: s_r^2.
        residual: s_h^2 + s_o^2 + s_e^2 / K, what a cell varies beyond its two responses.
        between_orders: 2 s_o^2 + s_e^2 / K; NaN where no pair was judged in both orders.
        of_mean: Variance of the group's mean score.
    """

    response: float
    residual: float
    between_orders: float
    of_mean: float

    @classmethod
    def of(cls, matrix: SimilarityMatrix) -> GroupMoments | None:
        """None where the design of the group cannot tell them apart."""
        found = relation_covariances(matrix)
        if math.isnan(found.sharing):
            return None
        return cls(found.sharing, found.same - 2 * found.sharing, found.same - found.reverse, found.mean)


def spread_over_problems(values: ByStrategy) -> float:
    """Mean over strategies of the variance of their values over problems; NaN where none has two problems."""
    return _mean_variance([list(own.values()) for own in values.values()])


def spread_of_differences(values: ByStrategy) -> float:
    """Mean over pairs of strategies of the variance of their differences; NaN without two on two common problems."""
    return _mean_variance(
        [
            [one[problem] - other[problem] for problem in one if problem in other]
            for one, other in combinations(values.values(), 2)
        ]
    )


def mean_of_known(values: Iterable[float]) -> float:
    """Mean of those that are not NaN; NaN without one."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _mean_variance(series: Iterable[Sequence[float]]) -> float:
    return mean_of_known(float(np.var(values, ddof=1)) for values in series if len(values) > 1)
