"""Where the spread of diversities comes from: variances, as a pilot shows them or as they are assumed.

Terms, in units of diversity (0..1):
    response: variance of the effect that a response has on all its pairs, s_g^2.
    pair: variance of the effect of an unordered pair, s_h^2; order: of what its order does, s_o^2; noise: of a single
    judgment, s_e^2.
    problem: variance of the true diversity over problems, s_B^2; difference: of the true difference of two strategies
    on the same problem, s_D^2.

They are made of `moments`. Over problems they are what is left of the variance of the groups' diversities when the
variance that their pairs and responses explain is taken away. What they make of a study stands in `study`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diversity_judge.measures.moments import (
    GroupMoments,
    JudgedGroup,
    mean_of_known,
    spread_of_differences,
    spread_over_problems,
)
from diversity_judge.measures.retest import Retest
from diversity_judge.rubric import MAX_SCORE


@dataclass(frozen=True)
class Variances:
    """Where the spread of diversities comes from: variances in units of diversity (0..1) squared.

    Attributes:
        diversity: The mean diversity of a strategy; the width of an interval depends a little on it.
        response: s_g^2.
        pair: s_h^2; where noise or order are not known, together with them.
        noise: s_e^2; NaN where no pair was judged twice, so that it cannot be told from the pair's effect.
        problem: s_B^2; NaN with fewer than two problems.
        difference: s_D^2; NaN without two strategies on two common problems.
        order: s_o^2; NaN where it is not told apart, and then a part of the pair's effect or of the noise.
    """

    diversity: float
    response: float
    pair: float
    noise: float
    problem: float
    difference: float
    order: float = math.nan

    def residual(self, draws: float = 1, orders: int = 1) -> float:
        """What is left of a pair beside its two responses: s_h^2 + s_o^2 [one order] + s_e^2 / (K orders).

        Args:
            draws: K in each order; between two whole numbers where some pairs have one more.
            orders: In how many orders the pair is judged.
        """
        of_order = 0.0 if orders > 1 or math.isnan(self.order) else self.order
        if math.isnan(self.noise):
            return self.pair + of_order if draws * orders == 1 else math.nan
        return self.pair + self.of_judge(draws, orders)

    def of_judge(self, draws: float = 1, orders: int = 1) -> float:
        """The part of that which is the judge's own, NaN where the noise is not known."""
        of_order = 0.0 if orders > 1 or math.isnan(self.order) else self.order
        whole, more = divmod(draws, 1)
        return of_order + self.noise * ((1 - more) / whole + more / (whole + 1)) / orders


ASSUMED = Variances(diversity=0.4, response=0.0025, pair=0.03, noise=0.01, problem=0.0038, difference=0.0026)
"""Where there is no pilot. A judge's score of a pair then spreads by 1.1 points of 0..5, half a point of it the judge's
own chance (paired controls of a judge spread by 0.14 = sqrt(2) x 0.1), diversities of problems by 0.06 and true
differences of strategies by 0.05. With 32 responses, 32 balanced pairs of 496 widen a strategy's interval by 1.13 and
that of a paired difference by 1.30, 124 pairs the latter by 1.08, as was measured on graded responses (1.11-1.15,
1.27-1.33, 1.07-1.10)."""


def variances_of(groups: Sequence[JudgedGroup]) -> Variances:
    """The variances of a pilot, pooled over its groups and strategies; none is below 0.

    Groups weigh as many as they have responses. The order is told apart where pairs were judged in both orders and
    twice in one; where they were in both orders alone, noise is what these differ by, 2 s_o^2 + s_e^2.

    Args:
        groups: Of one instrument. Those whose design cannot tell the variances apart (fewer than four responses, or
            no two pairs that share a response) say nothing of what is within a group.

    Returns:
        NaN for what the pilot cannot tell: the noise where no pair was judged twice (it is then a part of the pair's
        effect), the problems' variance with one problem, that of differences without two strategies on two problems.

    Raises:
        ValueError: no group can tell what is within groups.
    """
    known = [(group, found) for group in groups if (found := _moments(group)) is not None]
    if not known:
        raise ValueError("no group has four scored responses and pairs that share them")
    weights = np.array([_responses(group) for group, _ in known], dtype=np.float64)

    def pooled(values: Sequence[float]) -> float:
        return float(np.average(values, weights=weights)) / MAX_SCORE**2

    residual = max(0.0, pooled([found.residual for _, found in known]))
    within = pooled([found.of_mean for _, found in known])
    draws = float(np.mean([group.draws for group in groups]))
    noise, order = _of_judge(groups, known, draws)
    left = residual - sum(part for part in (noise / draws, order) if not math.isnan(part))
    diversities = _diversities(groups)
    return Variances(
        diversity=mean_of_known(value for values in diversities.values() for value in values.values()),
        response=max(0.0, pooled([found.response for _, found in known])),
        pair=max(0.0, left),
        noise=noise,
        problem=_beyond(spread_over_problems(diversities), within),
        difference=_beyond(spread_of_differences(diversities), 2 * within),
        order=order,
    )


def _moments(group: JudgedGroup) -> GroupMoments | None:
    """None where its design can't tell them, or no response has two pairs."""
    scored = group.matrix.scored
    return GroupMoments.of(group.matrix) if (scored | scored.T).sum(axis=0).max() > 1 else None


def _responses(group: JudgedGroup) -> int:
    scored = group.matrix.scored
    return int((scored | scored.T).any(axis=0).sum())


def _of_judge(
    groups: Sequence[JudgedGroup], known: Sequence[tuple[JudgedGroup, GroupMoments]], draws: float
) -> tuple[float, float]:
    """Noise and order: by repeated draws and by pairs in both orders, each NaN where there are none."""
    between = mean_of_known(found.between_orders / MAX_SCORE**2 * group.draws for group, found in known)
    retest = sum((group.retest for group in groups), Retest())
    if not retest.degrees:
        return _not_below_0(between), math.nan
    noise = retest.squares / retest.degrees / MAX_SCORE**2
    return noise, _not_below_0((between - noise) / draws / 2)


def _diversities(groups: Sequence[JudgedGroup]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for group in groups:
        if not math.isnan(group.matrix.diversity):
            found.setdefault(group.strategy, {})[group.problem] = group.matrix.diversity
    return found


def _beyond(spread: float, explained: float) -> float:
    """What is left of a spread; NaN where there is none to see."""
    return _not_below_0(spread - explained)


def _not_below_0(variance: float) -> float:
    """NaN stays what it is."""
    return variance if math.isnan(variance) else max(0.0, variance)
