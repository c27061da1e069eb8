"""trends.csv: strategies whose names differ in one number, and how a metric changes with it.

`T0.3`, `T0.7`, `T1.0` are one family, ordered by temperature; so are `expert-sample tau=0.5`, `... tau=1`, `... tau=2`.
Three or more make a trend; each number stands once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from diversity_judge.comparing.differences import Series
from diversity_judge.comparing.tables import TrendRow
from diversity_judge.measures.paired import PairedDifference, Verdict, with_holm
from diversity_judge.measures.trend import trend
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, p_value

MIN_STRATEGIES = 3
"""Two strategies are a pair, and pairs_of_strategies.csv has them."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_GAP = "*"


@dataclass(frozen=True)
class Family:
    """Strategies whose names differ in one number.

    Attributes:
        name: What their names share, with a star for the number.
        members: Number to strategy, in the order of the numbers.
    """

    name: str
    members: Mapping[float, str]


@dataclass(frozen=True)
class Trend:
    """How a metric changes along a family."""

    family: Family
    metric: str
    label: str
    found: PairedDifference

    @property
    def row(self) -> TrendRow:
        """As trends.csv has it."""
        estimate = self.found.estimate
        return TrendRow(
            " < ".join(self.family.members.values()),
            self.metric,
            estimate.value,
            estimate.low,
            estimate.high,
            self.found.test.p,
            self.found.p_holm,
            estimate.n,
            estimate.method,
            self.found.verdict.value,
        )


def families(strategies: Sequence[str]) -> tuple[Family, ...]:
    """Families of three or more, each name read at each of its numbers."""
    found: dict[str, dict[float, str]] = {}
    repeated: set[str] = set()
    for strategy in strategies:
        for number in _NUMBER.finditer(strategy):
            template = f"{strategy[: number.start()]}{_GAP}{strategy[number.end() :]}"
            members = found.setdefault(template, {})
            if float(number[0]) in members:
                repeated.add(template)
            members[float(number[0])] = strategy
    return tuple(
        Family(template, dict(sorted(members.items())))
        for template, members in found.items()
        if len(members) >= MIN_STRATEGIES and template not in repeated
    )


def all_trends(series: Sequence[Series], strategies: Sequence[str], *, seed: int) -> tuple[Trend, ...]:
    """The trend of each metric along each family that shares a problem, adjusted among the families."""
    ordered = families(strategies)
    trends: list[Trend] = []
    for one in series:
        found = [(family, _along(family, one, seed)) for family in ordered]
        found = [(family, difference) for family, difference in found if difference.estimate.n]
        adjusted = with_holm([difference for _, difference in found])
        trends += [
            Trend(family, one.metric, one.label, difference)
            for (family, _), difference in zip(found, adjusted, strict=True)
        ]
    return tuple(trends)


def trend_sentences(trends: Sequence[Trend]) -> Iterator[str]:
    """One sentence a trend of diversity and of pass@N, where enough problems tell."""
    for one in trends:
        if one.found.verdict is not Verdict.TOO_FEW and one.metric != "pass_rate":
            yield printable(_sentence(one))


def _sentence(one: Trend) -> str:
    estimate, test = one.found.estimate, one.found.test
    numbers = list(one.family.members)
    size = interval(estimate.value, estimate.low, estimate.high, signed=True)
    p = p_value(test.p, test.resolution)
    seen = f"{size} per 1, on {estimate.n} problems, {p}"
    along = f"along {one.family.name} from {numbers[0]:g} to {numbers[-1]:g}"
    if one.found.verdict is Verdict.NOT_SHOWN:
        return f"No trend of {one.label} is shown {along}: {seen}."
    alone = "" if one.found.verdict is Verdict.CONFIRMED else " (taken alone; not confirmed among the families)"
    return f"{one.label[0].upper()}{one.label[1:]} {'rises' if estimate.value > 0 else 'falls'} {along}: {seen}{alone}."


def _along(family: Family, series: Series, seed: int) -> PairedDifference:
    values = [series.values.get(strategy, {}) for strategy in family.members.values()]
    return trend(tuple(family.members), values, bounds=series.bounds, seed=seed)
