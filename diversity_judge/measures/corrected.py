"""Diversities and differences corrected for the judge, by labels of a random sample of its pairs.

A judge may be wrong by more for one strategy than for another, and then a difference between them is partly its own.
Labels (of people, or of a better judge) of a few pairs say by how much. The estimator is PPI++ (Angelopoulos, Duchi and
Zrnic 2023, arXiv 2311.01453): of a strategy, with f the judge's score of a pair, Y its label and D = Y - lambda f,

    theta = mean over problems of [lambda mean_all(f) + share_asked mean_labelled(D) + (1 - share_asked) 5 (1 - lambda)]

where the mean over labelled pairs weighs each by its known chance, so that problems without a label do no harm, and the
last term is of identical texts, which have 5 by both and are never labelled. Lambda is the slope of Y on f within
strategies, fitted for each problem on the labels of the OTHER problems.

Pairs share responses and responses share a problem, so the problem is the unit of the variance: the delete-one-problem
jackknife over all that enters (`clustered`), which holds however pairs depend on each other within a problem.
Student's t has one degree less than there are problems with a label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import of_sums, ratio
from diversity_judge.measures.intervals import Estimate, t_interval, t_quantile
from diversity_judge.measures.power import POWER
from diversity_judge.rubric import MAX_SCORE

METHOD = "PPI++, delete-one-problem jackknife, t over problems with a label"
"""How the interval was made."""
FEWEST_LABELS = 20
"""Labels of other problems below which lambda is not fitted but 1: judge and labels speak of the same scale."""
_COLUMNS = 5
"""Sums that a strategy needs: problems, what is known of them, those that could be labelled, weighted D, weights."""


@dataclass(frozen=True, eq=False)
class LabelledGroup:
    """One problem under one strategy, of which some pairs may be labelled.

    Attributes:
        problem: The problem.
        strategy: The strategy.
        mean_score: The judge's mean score over all pairs, 0..5.
        labels: (k,) of the labelled pairs, 0..5.
        scores: (k,) the judge's of the same pairs.
        expected: Mean number of labels that the group gets over all draws of the sample.
        asked_share: Share of the group's pairs that could be labelled; the others have 5 by both.
    """

    problem: str
    strategy: str
    mean_score: float
    labels: NDArray[np.float64]
    scores: NDArray[np.float64]
    expected: float
    asked_share: float = 1.0


@dataclass(frozen=True)
class Corrected:
    """A diversity of a strategy, or a difference between two, corrected.

    Attributes:
        estimate: With its interval; `n` counts the problems with a label.
        coefficient: Lambda, the mean over problems.
        n_labels: Labels that it rests on.
        label_variance: The part of its variance that more labels would lessen, times the labels.
    """

    estimate: Estimate
    coefficient: float
    n_labels: int
    label_variance: float

    def labels_needed(self, detect: float) -> float:
        """Labels with which a difference of this size would be seen in 80 %.

        The rest of the variance is the problems', which no label lessens.

        Args:
            detect: In diversity, above 0.

        Returns:
            Infinite where labels alone cannot do it; NaN without an interval.
        """
        if not self.estimate.se > 0 or self.estimate.n < 2 or not self.n_labels:
            return math.nan
        df = self.estimate.n - 1
        target = (detect / (t_quantile(0.95, df) + t_quantile(2 * POWER - 1, df))) ** 2
        rest = max(self.estimate.se**2 - self.label_variance / self.n_labels, 0.0)
        return math.inf if rest >= target else float(math.ceil(self.label_variance / (target - rest)))


def corrected_diversity(groups: Sequence[LabelledGroup], strategy: str) -> Corrected:
    """A strategy's diversity, mean over its problems.

    Args:
        groups: Of all strategies; all of them fit lambda.
        strategy: Which.
    """
    mine = {group.problem: group for group in groups if group.strategy == strategy}
    return _corrected(groups, [(1.0, mine)], tuple(mine))


def corrected_difference(groups: Sequence[LabelledGroup], strategy: str, baseline: str) -> Corrected:
    """A strategy's diversity minus the baseline's, on the problems that both have.

    Args:
        groups: Of all strategies.
        strategy: Which.
        baseline: Against which.
    """
    by_strategy = {
        name: {group.problem: group for group in groups if group.strategy == name} for name in (strategy, baseline)
    }
    common = tuple(problem for problem in by_strategy[strategy] if problem in by_strategy[baseline])
    return _corrected(groups, [(1.0, by_strategy[strategy]), (-1.0, by_strategy[baseline])], common)


def _corrected(
    groups: Sequence[LabelledGroup], sides: list[tuple[float, dict[str, LabelledGroup]]], problems: tuple[str, ...]
) -> Corrected:
    coefficients = _coefficients(groups, problems)
    sums = np.array(
        [[value for _, side in sides for value in _row(side[p], coefficients[p])] for p in problems]
    ).reshape(len(problems), _COLUMNS * len(sides))
    signs = [sign for sign, _ in sides]

    def statistic(total: NDArray[np.float64]) -> NDArray[np.float64]:
        values = [_theta(total[..., _COLUMNS * k : _COLUMNS * (k + 1)]) for k in range(len(signs))]
        return np.asarray(sum(sign * (1 - value / MAX_SCORE) for sign, value in zip(signs, values, strict=True)))

    n_labels = sum(len(side[p].labels) for _, side in sides for p in problems)
    found = _interval(of_sums(statistic, sums), problems, sides)
    used = [coefficients[p] for p in problems]
    variance = n_labels * sum(_label_variance(side, problems, coefficients) for _, side in sides)
    return Corrected(found, float(np.mean(used)) if used else math.nan, n_labels, variance / MAX_SCORE**2)


def _row(group: LabelledGroup, coefficient: float) -> tuple[float, ...]:
    """What a problem adds to the sums."""
    known = coefficient * group.mean_score + (1 - group.asked_share) * MAX_SCORE * (1 - coefficient)
    weight = 1 / group.expected if group.expected else 0.0
    left = float((group.labels - coefficient * group.scores).sum())
    return 1.0, known, float(group.asked_share > 0), group.asked_share * weight * left, weight * len(group.labels)


def _theta(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean score of a strategy from its sums (..., 5)."""
    n, known, askable, left, weights = (sums[..., k] for k in range(_COLUMNS))
    rectifier = np.where(askable > 0, ratio(askable, n) * ratio(left, weights), 0.0)
    return ratio(known, n) + rectifier


def _interval(
    found: Estimate, problems: tuple[str, ...], sides: list[tuple[float, dict[str, LabelledGroup]]]
) -> Estimate:
    """The same with as many degrees as the problems with a label leave; on the logit for a level."""
    labelled = min((_n_labelled(side, problems) for _, side in sides), default=0) if problems else 0
    if not found.se > 0 or labelled < 2:
        return replace(found, low=math.nan, high=math.nan, n=labelled, method=METHOD)
    bounds = (0.0, 1.0) if len(sides) == 1 and 0 < found.value < 1 else None
    low, high = t_interval(found.value, found.se, labelled, bounds=bounds)
    limits = (0.0, 1.0) if len(sides) == 1 else (-1.0, 1.0)
    return replace(found, low=max(low, limits[0]), high=min(high, limits[1]), n=labelled, method=METHOD)


def _n_labelled(side: dict[str, LabelledGroup], problems: Sequence[str]) -> int:
    """Problems with a label; all of them where every text is the same, so that nobody need be asked."""
    if not any(side[p].asked_share > 0 for p in problems):
        return len(problems)
    return sum(len(side[p].labels) > 0 for p in problems)


def _coefficients(groups: Sequence[LabelledGroup], problems: Sequence[str]) -> dict[str, float]:
    """Lambda of each problem from the labels of the others: the slope of Y on f, each strategy about its mean."""
    rows = [
        (group.problem, group.strategy, label, score)
        for group in groups
        for label, score in zip(group.labels.tolist(), group.scores.tolist(), strict=True)
    ]
    problem, strategy = (np.array([row[k] for row in rows], dtype=object) for k in (0, 1))
    y, f = (np.array([row[k] for row in rows], dtype=np.float64) for k in (2, 3))
    return {own: _slope(y[problem != own], f[problem != own], strategy[problem != own]) for own in problems}


def _slope(y: NDArray[np.float64], f: NDArray[np.float64], strategy: NDArray[np.object_]) -> float:
    if len(y) < FEWEST_LABELS:
        return 1.0
    for name in set(strategy.tolist()):
        mine = strategy == name
        y, f = np.where(mine, y - y[mine].mean(), y), np.where(mine, f - f[mine].mean(), f)
    spread = float((f**2).sum())
    return float((y * f).sum()) / spread if spread > 0 else 1.0


def _label_variance(side: dict[str, LabelledGroup], problems: Sequence[str], coefficients: dict[str, float]) -> float:
    """Variance, in points squared, that sampling labels adds to a strategy: that of D within problems, over labels.

    Where no problem has two labels, that of D altogether, which holds a part of the problems' own; 0 where there was
    nothing to label.
    """
    if not any(side[p].asked_share > 0 for p in problems):
        return 0.0
    left = [side[p].labels - coefficients[p] * side[p].scores for p in problems if len(side[p].labels)]
    n = sum(len(d) for d in left)
    degrees = sum(len(d) - 1 for d in left)
    if n < 2:
        return math.nan
    if degrees > 0:
        return float(sum(((d - d.mean()) ** 2).sum() for d in left)) / degrees / n
    return float(np.var(np.concatenate(left), ddof=1)) / n
