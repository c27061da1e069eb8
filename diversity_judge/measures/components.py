"""What a score varies with: problem, response, pair, order, draw; each a variance in squared points of 0..5.

The score of responses i and j of problem p under strategy s, i shown first, in draw k:

    mean + problem_p + strategy_by_problem_ps + response_i + response_j + pair_ij + order_(i,j) + draw_(i,j)k

with order_(i,j) = -order_(j,i): what of an order is common to both belongs to the pair. All estimates are unbiased
moments, whatever the distributions: those of `moments`, from the groups and from their means in a two-way layout
(problem by strategy), from which the groups' own sampling variance is taken off (Searle, Casella and McCulloch 1992,
Variance Components, 4.3). Draws and orders are told apart by the pairs that were asked again: the spread within a pair
is s_e^2, and the mean squared difference of the orders is 4 s_o^2 + s_e^2 (1/K + 1/K'). What the components make of a
study's variance stands in `study`.

Intervals, 95 %. Response, pair, order: delete-one-problem jackknife and Student's t; the hull of the interval as it is
and of that on the cube root, on which a variance is nearly normal (Wilson and Hilferty 1931), for one fails where the
component is large and the other where it is near 0. Draw: on the log. Problem and strategy by problem: chi-squared
intervals of the mean squares, combined by MOVER (Zou and Donner 2008, Stat. Med. 27, 1693-1702).
benchmarks/planted_bias.py counts how often they hold the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diversity_judge.measures.clustered import codes_of, jackknife_se, ratio
from diversity_judge.measures.intervals import t_quantile
from diversity_judge.measures.moments import (
    ByStrategy,
    GroupMoments,
    JudgedGroup,
    spread_of_differences,
    spread_over_problems,
)
from diversity_judge.measures.probes.order import order_variance
from diversity_judge.measures.probes.retest import within
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.measures.variances import Variances
from diversity_judge.rubric import MAX_SCORE

CONFIDENCE = 0.95
MIN_PROBLEMS = 3


@dataclass(frozen=True)
class Component:
    """One source of variance: a row of variance_components.csv.

    Attributes:
        name: What varies.
        variance: Squared points of 0..5; 0 where the unbiased estimate lies below; NaN where it cannot be had.
        ci_low: Lower end of its 95 % interval, 0 at least; NaN where there is none.
        ci_high: Upper end.
        n: Problems, groups or pairs that it comes from, as `detail` says.
        detail: What it comes from, or why it cannot be had.
    """

    name: str
    variance: float
    ci_low: float
    ci_high: float
    n: int
    detail: str

    @property
    def sd(self) -> float:
        """In points."""
        return math.sqrt(self.variance)


@dataclass(frozen=True)
class Components:
    """All sources of variance of a score.

    Attributes:
        problem: Between problems, common to all strategies.
        strategy_by_problem: Of a strategy on a problem, beyond both: what a difference of strategies varies with.
        response: Of a response's effect on all its pairs; it counts twice in a score.
        pair: Of a pair beyond its responses. Without retest and orders it holds their variance too.
        order: Of what the order does; half of the difference between orders.
        draw: Of the judge when asked again.
        template: Of the phrasing of the rubric; None where it was not probed.
        judge: Of the judge; None where there is one.
    """

    problem: Component
    strategy_by_problem: Component
    response: Component
    pair: Component
    order: Component
    draw: Component
    template: Component | None = None
    judge: Component | None = None

    @property
    def all(self) -> tuple[Component, ...]:
        """In order, without those that were not probed."""
        every = (
            self.problem, self.strategy_by_problem, self.response, self.pair, self.order, self.draw, self.template,
            self.judge,
        )  # fmt: skip
        return tuple(component for component in every if component is not None)

    @property
    def noise(self) -> float:
        """Variance of a single judgment that is the judge's alone, order and draw; NaN where neither is known."""
        parts = [c.variance for c in (self.order, self.draw) if not math.isnan(c.variance)]
        return sum(parts) if parts else math.nan

    def variances(self) -> Variances:
        """The same in units of diversity, as `study` takes them; the mean diversity is not among them."""
        own = self.strategy_by_problem.variance / MAX_SCORE**2
        return Variances(
            diversity=math.nan,
            response=self.response.variance / MAX_SCORE**2,
            pair=self.pair.variance / MAX_SCORE**2,
            noise=self.draw.variance / MAX_SCORE**2,
            problem=self.problem.variance / MAX_SCORE**2 + (0.0 if math.isnan(own) else own),
            difference=2 * own,
            order=self.order.variance / MAX_SCORE**2,
        )


def variance_components(
    groups: Sequence[JudgedGroup],
    retest: Sample | None = None,
    swapped: Sample | None = None,
    *,
    templates: Sample | None = None,
    judges: Sample | None = None,
) -> Components:
    """The components of a run's scores.

    Args:
        groups: The run's groups.
        retest: (N, K) draws of some of its pairs in one order.
        swapped: (N, K') draws of the same pairs in the other order.
        templates: (N, T) scores of some pairs by each phrasing.
        judges: (N, J) scores of some pairs by each judge.
    """
    table = _Table(groups, retest, swapped)
    problem, strategy_by_problem = _between_problems(groups)
    return Components(
        problem,
        strategy_by_problem,
        table.component("response"),
        table.component("pair"),
        table.component("order"),
        table.component("draw"),
        None if templates is None else _beside_draws("template", templates, retest),
        None if judges is None else _beside_draws("judge", judges, retest),
    )


class _Table:
    """Sums of moments by problem, so that leaving out a problem is a subtraction.

    Columns: sharing covariance, the rest of a cell's variance, 1 / draws, each over (a) groups; squares within pairs
    over (b) degrees; order excess over (c) pairs.
    """

    def __init__(self, groups: Sequence[JudgedGroup], retest: Sample | None, swapped: Sample | None) -> None:
        rows: dict[str, NDArray[np.float64]] = {}

        def add(problem: str, start: int, values: Sequence[float]) -> None:
            row = rows.setdefault(problem, np.zeros(8))
            row[start : start + len(values)] += values

        for group in groups:
            found = GroupMoments.of(group.matrix)
            if found is not None:
                add(group.problem, 0, (found.response, found.residual, 1 / group.draws, 1.0))
        if retest is not None:
            for problem, *values in zip(retest.problem.tolist(), *within(retest.scores), strict=True):
                add(problem, 4, values)
        if retest is not None and swapped is not None:
            excess = order_variance(retest.scores, swapped.scores.reshape(len(swapped), -1))
            for problem, value in zip(retest.problem.tolist(), excess.tolist(), strict=True):
                if not math.isnan(value):
                    add(problem, 6, (value, 1.0))
        self._sums = np.stack(list(rows.values())) if rows else np.zeros((0, 8))

    def component(self, name: str) -> Component:
        """One of them with its interval."""
        total = self._sums.sum(axis=0)
        columns = {"response": 3, "pair": 3, "order": 7, "draw": 5}
        where = self._sums[:, columns[name]] > 0
        values = _moments(total)
        # Without orders or draws their variance stays in the pair's.
        value = float(values[name])
        n = int(total[columns[name]])
        if math.isnan(value):
            return _unknown(name, _MISSING[name])
        without = np.array([float(_moments(total - row)[name]) for row in self._sums])
        note = _SOURCE[name].format(n=n)
        if name == "pair":
            note += "".join(f", {part} not taken off" for part in ("order", "draw") if math.isnan(float(values[part])))
        return _interval(name, value, without, int(where.sum()), n, note)


_LARGEST_LOG = 100.0
"""Of a bound over the estimate: nothing is known beyond."""

_MISSING = {
    "response": "no group has pairs enough to tell responses from pairs",
    "pair": "no group has pairs enough to tell responses from pairs",
    "order": "no pair was judged in both orders, with a draw repeated in one",
    "draw": "no pair was judged twice in one order",
}
_SOURCE = {
    "response": "covariance of pairs that share a response, {n} groups",
    "pair": "variance of a pair's score beyond its responses, {n} groups",
    "order": "half the difference between orders, {n} pairs",
    "draw": "spread of draws within pairs, {n} degrees of freedom",
}


def _moments(sums: NDArray[np.float64]) -> dict[str, float]:
    sharing, cell, shares, groups, squares, degrees, excess, pairs = sums.tolist()
    nan = math.nan
    draw = squares / degrees if degrees > 0 else nan
    order = excess / pairs / 4 if pairs > 0 else nan
    pair = nan
    if groups > 0:
        known_order, known_draw = (0.0 if math.isnan(part) else part for part in (order, draw))
        pair = cell / groups - known_order - known_draw * shares / groups
    return {"response": sharing / groups if groups > 0 else nan, "pair": pair, "order": order, "draw": draw}


def _interval(name: str, value: float, without: NDArray[np.float64], clusters: int, n: int, note: str) -> Component:
    nan = float("nan")
    if clusters < MIN_PROBLEMS or np.isnan(without).any():
        return Component(name, max(value, 0.0), nan, nan, n, f"{note}; an interval needs {MIN_PROBLEMS} problems")
    if value < 0:
        note += f"; the unbiased estimate is {value:.3g}"
    half = t_quantile(CONFIDENCE, clusters - 1) * jackknife_se(without)
    low, high = value - half, value + half
    if value > 0 and name == "draw":
        factor = math.exp(min(half / value, _LARGEST_LOG))
        low, high = value / factor, value * factor
    elif value > 0:
        root = value ** (1 / 3)
        low = min(low, (root - half / (3 * root**2)) ** 3)
        high = max(high, (root + half / (3 * root**2)) ** 3)
    return Component(name, max(value, 0.0), max(low, 0.0), max(high, 0.0), n, note)


def _between_problems(groups: Sequence[JudgedGroup]) -> tuple[Component, Component]:
    """Two-way layout of the groups' means: problems, and strategies within them."""
    names = ("problem", "strategy_by_problem")
    layout = _Layout.of(groups)
    p, s = layout.size
    if p < MIN_PROBLEMS:
        reason = f"{p} problem(s) that all strategies have; it needs {MIN_PROBLEMS}"
        return _unknown(names[0], reason), _unknown(names[1], reason)
    own = _MeanSquare(float(layout.sampling.mean()), *_around(layout.sampling))
    level = spread_over_problems(layout.means)
    if s == 1:
        found = _difference(
            names[0], _MeanSquare.of(level, p - 1), own, 1, p,
            "variance of problems' means less that of sampling responses",
        )  # fmt: skip
        return found, _unknown(names[1], "one strategy")
    interaction = spread_of_differences(layout.means) / 2
    between = _MeanSquare.of(s * level - (s - 1) * interaction, p - 1)
    within_rows = _MeanSquare.of(interaction, (p - 1) * (s - 1))
    return (
        _difference(names[0], between, within_rows, s, p, f"common to {s} strategies, {p} problems"),
        _difference(names[1], within_rows, own, 1, p, f"beyond problem and strategy, {p} problems"),
    )


@dataclass(frozen=True, eq=False)
class _Layout:
    """The groups of the problems that all strategies have.

    Attributes:
        means: Mean scores by strategy and problem.
        sampling: (P,) their sampling variances, means over strategies.
    """

    means: ByStrategy
    sampling: NDArray[np.float64]

    @classmethod
    def of(cls, groups: Sequence[JudgedGroup]) -> _Layout:
        """Of the groups that can tell their sampling variance."""
        strategies = list(dict.fromkeys(group.strategy for group in groups))
        cells: dict[tuple[str, str], tuple[float, float]] = {}
        for group in groups:
            found = GroupMoments.of(group.matrix)
            if found is not None:
                mean = float(group.matrix.scores[group.matrix.scored].mean())
                cells[group.problem, group.strategy] = mean, found.of_mean
        problems = [p for p in dict.fromkeys(g.problem for g in groups) if all((p, s) in cells for s in strategies)]
        means = {s: {p: cells[p, s][0] for p in problems} for s in strategies}
        return cls(means, np.array([np.mean([cells[p, s][1] for s in strategies]) for p in problems]))

    @property
    def size(self) -> tuple[int, int]:
        """Problems and strategies."""
        return len(self.sampling), len(self.means)


@dataclass(frozen=True)
class _MeanSquare:
    """A mean square with its own interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, degrees: int) -> _MeanSquare:
        from scipy.special import chdtri  # a fifth of a second, which every command's start would wait for

        tail = (1 - CONFIDENCE) / 2
        return cls(
            value, degrees * value / float(chdtri(degrees, tail)), degrees * value / float(chdtri(degrees, 1 - tail))
        )


def _around(values: NDArray[np.float64]) -> tuple[float, float]:
    half = t_quantile(CONFIDENCE, len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def _difference(name: str, larger: _MeanSquare, smaller: _MeanSquare, divisor: int, n: int, note: str) -> Component:
    value = larger.value - smaller.value
    low = value - math.hypot(larger.value - larger.low, smaller.high - smaller.value)
    high = value + math.hypot(larger.high - larger.value, smaller.value - smaller.low)
    if value < 0:
        note += f"; the unbiased estimate is {value / divisor:.3g}"
    value, low, high = (max(x, 0.0) / divisor for x in (value, low, high))
    return Component(name, value, low, high, n, note)


def _beside_draws(name: str, scores: Sample, retest: Sample | None) -> Component:
    """Variance of a pair's scores over templates (judges), less what draws alone would show."""
    squares, degrees = within(scores.scores)
    if not degrees.any():
        return _unknown(name, f"no pair was judged by two {name}s")
    drawn = (np.zeros(1), np.zeros(1)) if retest is None else within(retest.scores)
    problems = np.concatenate([scores.problem, *([] if retest is None else [retest.problem])])
    codes = codes_of(problems)
    g = int(codes.max()) + 1
    sums = np.zeros((g, 4))
    for column, part, own in ((0, squares, codes[: len(scores)]), (1, degrees, codes[: len(scores)])):
        sums[:, column] = np.bincount(own, part, minlength=g)
    if retest is not None:
        for column, part in ((2, drawn[0]), (3, drawn[1])):
            sums[:, column] = np.bincount(codes[len(scores) :], part, minlength=g)

    def variance(table: NDArray[np.float64]) -> NDArray[np.float64]:
        noise = ratio(table[..., 2], table[..., 3])
        return np.asarray(ratio(table[..., 0], table[..., 1]) - np.where(np.isnan(noise), 0.0, noise))

    total = sums.sum(axis=0)
    note = f"of a pair's scores over {name}s, {int((degrees > 0).sum())} pairs"
    if not drawn[1].any():
        note += ", draw not taken off"
    return _interval(name, float(variance(total)), variance(total - sums), g, int((degrees > 0).sum()), note)


def _unknown(name: str, reason: str) -> Component:
    nan = float("nan")
    return Component(name, nan, nan, nan, 0, reason)
