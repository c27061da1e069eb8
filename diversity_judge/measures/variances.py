"""Where the spread of diversities comes from: variances, as a pilot shows them or as they are assumed.

Terms, in units of diversity (0..1):
    response: variance of the effect that a response has on all its pairs, s_g^2.
    pair: variance of the effect of an unordered pair, s_h^2; noise: of a single judgment of it, s_e^2.
    problem: variance of the true diversity over problems, s_B^2; difference: of the true difference of two strategies
    on the same problem, s_D^2.

Within a group they are moments: scores that share a response have the covariance s_g^2, a pair in its two orders
2 s_g^2 + s_h^2, and a score varies by 2 s_g^2 + s_h^2 + s_e^2 (`intervals`). Over problems they are what is left of the
variance of the groups' diversities when the variance that their pairs and responses explain is taken away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from diversity_judge.measures.dyadic import relation_covariances
from diversity_judge.measures.matrix import SimilarityMatrix
from diversity_judge.measures.retest import Retest
from diversity_judge.rubric import MAX_SCORE


@dataclass(frozen=True)
class Variances:
    """Where the spread of diversities comes from: variances in units of diversity (0..1) squared.

    Attributes:
        diversity: The mean diversity of a strategy; the width of an interval depends a little on it.
        response: s_g^2.
        pair: s_h^2; where the noise is not known, together with it.
        noise: s_e^2; NaN where no pair was judged twice, so that it cannot be told from the pair's effect.
        problem: s_B^2; NaN with fewer than two problems.
        difference: s_D^2; NaN without two strategies on two common problems.
    """

    diversity: float
    response: float
    pair: float
    noise: float
    problem: float
    difference: float

    def residual(self, draws: int = 1) -> float:
        """What is left of a pair beside its two responses: s_h^2 + s_e^2 / K."""
        if math.isnan(self.noise):
            return self.pair if draws == 1 else math.nan
        return self.pair + self.noise / draws


ASSUMED = Variances(diversity=0.4, response=0.0025, pair=0.03, noise=0.01, problem=0.0038, difference=0.0026)
"""Where there is no pilot. A judge's score of a pair then spreads by 1.1 points of 0..5, half a point of it the judge's
own chance (paired controls of a judge spread by 0.14 = sqrt(2) x 0.1), diversities of problems by 0.06 and true
differences of strategies by 0.05. With 32 responses, 32 balanced pairs of 496 widen a strategy's interval by 1.13 and
that of a paired difference by 1.30, 124 pairs the latter by 1.08, as was measured on graded responses (1.11-1.15,
1.27-1.33, 1.07-1.10)."""


@dataclass(frozen=True)
class JudgedGroup:
    """A group of a pilot.

    Attributes:
        problem: Its problem.
        strategy: Its strategy.
        matrix: Its scores.
        retest: Spread of repeated draws; nothing where each pair was judged once.
        draws: Judgments of each pair in its order, whose mean a score of the matrix is.
    """

    problem: str
    strategy: str
    matrix: SimilarityMatrix
    retest: Retest = field(default_factory=Retest)
    draws: int = 1


@dataclass(frozen=True)
class _Moments:
    """Of one group, in units of diversity squared."""

    response: float
    residual: float
    noise: float
    variance: float
    weight: int

    @classmethod
    def of(cls, group: JudgedGroup, noise: float) -> _Moments | None:
        """None where the group's design can't tell them."""
        scored = group.matrix.scored
        pairs_of = (scored | scored.T).sum(axis=0)
        found = relation_covariances(group.matrix)
        if not pairs_of.max() > 1 or math.isnan(found.sharing):
            return None
        response, same = found.sharing / MAX_SCORE**2, found.same / MAX_SCORE**2
        if math.isnan(noise) and not math.isnan(found.reverse):
            noise = (same - found.reverse / MAX_SCORE**2) * group.draws
        n = int((pairs_of > 0).sum())
        return cls(response, same - 2 * response, noise, found.mean / MAX_SCORE**2, n)


def group_moments(group: JudgedGroup) -> tuple[float, float]:
    """s_g^2 and s_h^2 + s_e^2 / K of one group alone, unbiased and so perhaps negative; NaN where it can't tell."""
    found = _Moments.of(group, math.nan)
    return (math.nan, math.nan) if found is None else (found.response, found.residual)


def variances_of(groups: Sequence[JudgedGroup]) -> Variances:
    """The variances of a pilot, pooled over its groups and strategies; none is below 0.

    Args:
        groups: Of one instrument. Those whose design cannot tell the variances apart (fewer than four responses, or
            no two pairs that share a response) say nothing of what is within a group.

    Returns:
        NaN for what the pilot cannot tell: the noise where no pair was judged twice (it is then a part of the pair's
        effect), the problems' variance with one problem, that of differences without two strategies on two problems.

    Raises:
        ValueError: no group can tell what is within groups.
    """
    retest = sum((group.retest for group in groups), Retest())
    noise = retest.squares / retest.degrees / MAX_SCORE**2 if retest.degrees else math.nan
    moments = [_Moments.of(group, noise) for group in groups]
    known = [found for found in moments if found is not None]
    if not known:
        raise ValueError("no group has four scored responses and pairs that share them")
    weights = np.array([found.weight for found in known], dtype=np.float64)
    response = max(0.0, float(np.average([found.response for found in known], weights=weights)))
    residual = max(0.0, float(np.average([found.residual for found in known], weights=weights)))
    noise = _mean(found.noise for found in known)
    draws = float(np.mean([group.draws for group in groups]))
    within = float(np.average([found.variance for found in known], weights=weights))
    diversities = _by_strategy(groups)
    return Variances(
        diversity=_mean(value for values in diversities.values() for value in values.values()),
        response=response,
        pair=residual if math.isnan(noise) else max(0.0, residual - noise / draws),
        noise=noise,
        problem=_beyond([list(values.values()) for values in diversities.values()], within),
        difference=_beyond([_differences(*pair) for pair in combinations(diversities.values(), 2)], 2 * within),
    )


def _by_strategy(groups: Sequence[JudgedGroup]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for group in groups:
        if not math.isnan(group.matrix.diversity):
            found.setdefault(group.strategy, {})[group.problem] = group.matrix.diversity
    return found


def _differences(one: dict[str, float], other: dict[str, float]) -> list[float]:
    return [one[problem] - other[problem] for problem in one if problem in other]


def _beyond(series: Sequence[Sequence[float]], explained: float) -> float:
    """Mean variance of some series, less what is explained; NaN where none has two values."""
    spreads = [float(np.var(values, ddof=1)) for values in series if len(values) > 1]
    return max(0.0, float(np.mean(spreads)) - explained) if spreads else math.nan


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
