"""How many pairs a group after a pilot: Stein's two stages, for an interval of a wanted width.

A pilot of some pairs of every group is judged, the number of pairs is decided once from the spread that it shows, the
rest is bought, and the interval is made from all of them as ever (Stein 1945, Ann. Math. Stat. 16, 243-258). The
estimate is not looked at, only its spread: so the decision favours no value, and the intervals hold the truth as often
as with a fixed number (benchmarks/two_stage.py).

The second stage judges further pairs of the same responses to the same problems. So what a pilot saw of the spread over
problems stays, and only the part that its pairs added shrinks:

    S^2(m) = S^2(m_0) - c t mean_groups(1/m_0 - 1/m),   t = s_h^2 + s_e^2 / K  (`variances`),

c = 1 for a strategy over its problems, 2 for a difference; never below what the pairs alone leave, c t mean(1/m). What
the further pairs take away is known on average only: v = S^2(m_0) - S^2(m) has the standard error
sqrt((4 S^2(m) v + 2 v^2) / (P - 1)); of groups, whose V(m) = 4 s_g^2 / n + t / m is a mean over them, it is that of the
mean. As in `study`, the width is planned so that nine of ten are kept within 10 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from diversity_judge.choices import Level
from diversity_judge.measures.intervals import t_interval
from diversity_judge.measures.moments import GroupMoments, JudgedGroup
from diversity_judge.measures.study import (
    TOLERANCE,
    Sample,
    difference_interval_width,
    sampling_variance,
    smallest,
)
from diversity_judge.measures.variances import Variances, variances_of
from diversity_judge.rubric import MAX_SCORE

_SURE = 1.645
"""Standard errors that are added before the tolerance is taken off: nine of ten kept where it is the wider of two."""
_SURE_OF_GROUPS = 2.3
"""The same of groups, whose intervals are made from a spread that the second stage sees with chance of its own."""
CLOSE = 1.05
"""Where all pairs do not reach the width, no more are bought than bring the interval this close to that of all."""


_NEEDED: Mapping[Level, str] = {
    "group": "four responses",
    "strategy": "two problems",
    "difference": "two strategies on two problems",
}


@dataclass(frozen=True)
class PairsNeeded:
    """What a pilot says of the second stage.

    Attributes:
        pairs: Pairs a group, those of the pilot among them.
        all_pairs: Of the largest group.
        width: Of the interval that is expected then; of several, the widest (of groups, the mean).
        width_of_all: With all pairs.
        width_of_pilot: With the pilot's.
        target: The width that was wanted.
    """

    pairs: int
    all_pairs: int
    width: float
    width_of_all: float
    width_of_pilot: float
    target: float

    @property
    def is_reached(self) -> bool:
        """Whether the wanted width is expected; else all pairs would not do either."""
        return self.width <= self.target


def pairs_needed(groups: Sequence[JudgedGroup], level: Level, target: float, pilot_pairs: int) -> PairsNeeded:
    """The fewest pairs a group with which the interval is expected to be no wider than wanted.

    Args:
        groups: The pilot.
        level: Whose interval.
        target: Its width, in units of diversity.
        pilot_pairs: Pairs a group of the pilot, where a group has as many.

    Raises:
        ValueError: the pilot can say nothing of such an interval; the message says what is missing.
    """
    expected = _Expected(groups, level, pilot_pairs)
    sizes = [Sample(group.matrix.n_responses, 0).all_pairs for group in groups]
    most = max(*sizes, pilot_pairs)
    whole, pilot = expected.width(most), expected.width(pilot_pairs)
    aim = target if whole <= target else min(pilot, CLOSE * whole)
    found = smallest(lambda pairs: expected.width(pairs) <= aim, pilot_pairs, most)
    pairs = most if found is None else found
    return PairsNeeded(pairs, most, expected.width(pairs), whole, pilot, target)


class _Expected:
    """The width that an interval is expected to have with so many pairs a group."""

    def __init__(self, groups: Sequence[JudgedGroup], level: Level, pilot_pairs: int) -> None:
        self._groups = [group for group in groups if group.matrix.scored.any()]
        self._level = level
        self._pilot = pilot_pairs
        self._variances: Variances = variances_of(self._groups)
        draws = max((group.draws for group in self._groups), default=1)
        self._residual = self._variances.residual(draws)
        self._by_strategy: dict[str, dict[str, JudgedGroup]] = {}
        for group in self._groups:
            self._by_strategy.setdefault(group.strategy, {})[group.problem] = group
        if math.isnan(self.width(pilot_pairs)):
            raise ValueError(f"a {level}'s interval needs {_NEEDED[level]}")

    def width(self, pairs: int) -> float:
        """Of the widest interval of this kind; of groups the mean; NaN where there is none."""
        if self._level == "group":
            return self._of_groups(pairs)
        if self._level == "strategy":
            return _widest(self._of_strategy(list(members.values()), pairs) for members in self._by_strategy.values())
        return _widest(self._of_difference(*pair, pairs) for pair in combinations(self._by_strategy.values(), 2))

    def _of_groups(self, pairs: int) -> float:
        """The mean over groups, each with its own level and all with the same variances."""
        kept = [group for group in self._groups if group.matrix.n_responses > 3]
        n = np.array([group.matrix.n_responses for group in kept])
        known = [GroupMoments.of(group.matrix) for group in kept]
        moments = np.array([(m.response, m.residual) if m else (math.nan, math.nan) for m in known]).reshape(-1, 2)
        response, residual = moments.T / MAX_SCORE**2
        each = np.asarray(sampling_variance(response, residual, n, np.minimum(n * (n - 1) / 2, pairs)))
        each = each[~np.isnan(each)]
        if not len(each):
            return math.nan
        expected = max(float(each.mean()), 0.0)
        error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else expected
        widths = [
            float(np.mean([_width(g.matrix.diversity, variance, g.matrix.n_responses) for g in kept]))
            for variance in (expected, expected + _SURE_OF_GROUPS * error)
        ]
        return max(widths[0], widths[1] / (1 + TOLERANCE))

    def _of_strategy(self, members: Sequence[JudgedGroup], pairs: int) -> float:
        values = [member.matrix.diversity for member in members]
        if len(values) < 2:
            return math.nan
        mean, n = float(np.mean(values)), len(values)
        expected, high = (_width(mean, variance / n, n) for variance in self._remaining(values, members, 1, pairs))
        return max(expected, high / (1 + TOLERANCE))

    def _of_difference(self, one: dict[str, JudgedGroup], other: dict[str, JudgedGroup], pairs: int) -> float:
        common = [(one[problem], other[problem]) for problem in one if problem in other]
        if len(common) < 2:
            return math.nan
        values = [mine.matrix.diversity - theirs.matrix.diversity for mine, theirs in common]
        members = [member for pair in common for member in pair]
        expected, high = (
            difference_interval_width(math.sqrt(variance), len(values))
            for variance in self._remaining(values, members, 2, pairs)
        )
        return max(expected, high / (1 + TOLERANCE))

    def _remaining(
        self, values: Sequence[float], members: Sequence[JudgedGroup], times: int, pairs: int
    ) -> tuple[float, float]:
        """S^2 with so many pairs a group: as expected, and as it may be."""
        totals = np.array([Sample(member.matrix.n_responses, 0).all_pairs for member in members])
        before, after = np.minimum(totals, self._pilot), np.minimum(totals, pairs)
        gone = times * self._residual * float(np.mean(1 / before - 1 / after))
        left = times * self._residual * float(np.mean(1 / after))
        expected = max(float(np.var(values, ddof=1)) - gone, left)
        return expected, expected + _SURE * math.sqrt((4 * expected * gone + 2 * gone**2) / (len(values) - 1))


def _widest(widths: Iterable[float]) -> float:
    known = [width for width in widths if not math.isnan(width)]
    return max(known, default=math.nan)


def _width(diversity: float, variance: float, n: int) -> float:
    low, high = t_interval(min(max(diversity, 0.01), 0.99), math.sqrt(variance), n, bounds=(0.0, 1.0))
    return high - low
