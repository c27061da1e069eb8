"""What more money buys: the standard error of a difference when it is spent on problems, responses, pairs or draws.

The variance of a group, a strategy and a difference is that of `study`, with the components of this run's scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from diversity_judge.measures import study
from diversity_judge.measures.components import Components
from diversity_judge.measures.power import POWER
from diversity_judge.measures.variances import Variances

BUDGET_USD = 100.0


@dataclass(frozen=True)
class StudyDesign:
    """How large a study is.

    Attributes:
        n_problems: P, problems that all strategies have.
        n_strategies: Strategies.
        n_responses: n, responses of a group.
        pairs_per_group: m, unordered pairs of a group that are judged.
        orders: 1 or 2 orders of each.
        draws: K, judgments of each in its order; between two whole numbers where some have one more.
    """

    n_problems: int
    n_strategies: int
    n_responses: int
    pairs_per_group: int
    orders: int = 1
    draws: float = 1.0

    @property
    def all_pairs(self) -> int:
        """Unordered pairs that n responses have."""
        return self.n_responses * (self.n_responses - 1) // 2

    @property
    def sample(self) -> study.Sample:
        """What is judged of a group."""
        return study.Sample(self.n_responses, self.pairs_per_group, self.draws, self.orders)

    @property
    def groups(self) -> int:
        """Problems times strategies."""
        return self.n_problems * self.n_strategies

    @property
    def calls(self) -> float:
        """Judge calls of the whole study."""
        return self.groups * self.pairs_per_group * self.orders * self.draws


@dataclass(frozen=True)
class Costs:
    """What things cost, USD (or any other unit that the budget has too).

    Attributes:
        per_call: One judge call.
        per_response: Sampling one response.
        per_problem: Whatever a new problem costs besides.
    """

    per_call: float
    per_response: float = 0.0
    per_problem: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a call that costs nothing: then a budget says nothing.

        Raises:
            ValueError: a call costs nothing, or something costs less than nothing.
        """
        if not self.per_call > 0 or self.per_response < 0 or self.per_problem < 0:
            raise ValueError("a call must cost something and nothing less than nothing; count in calls (per_call=1)")


@dataclass(frozen=True)
class Allocation:
    """What a budget buys when it is spent on one thing: a row of allocation.csv.

    Attributes:
        spent_on: `problems`, `responses`, `pairs` or `draws`.
        design: The study afterwards.
        before: How much of it there was.
        after: How much there is then.
        calls: Judge calls that are bought.
        cost: What they and new responses cost.
        se: Standard error of a paired difference of diversities afterwards; of the mean diversity where there is one
            strategy.
        se_before: As it is.
        detectable: Smallest difference that is confirmed with 80 % power afterwards; NaN where there is one strategy.
        detectable_before: As it is.
        detail: Why nothing is bought, where nothing is.
    """

    spent_on: str
    design: StudyDesign
    before: float
    after: float
    calls: float
    cost: float
    se: float
    se_before: float
    detectable: float
    detectable_before: float
    detail: str = ""


def group_variance(components: Components, design: StudyDesign) -> float:
    """V, sampling variance of a group's diversity; NaN where response or pair is unknown."""
    return study.group_variance(_variances(components), design.sample)


def noise_variance(components: Components, design: StudyDesign) -> float:
    """The part of V that is the judge's own: order and draws; NaN where draws are unknown."""
    return components.variances().of_judge(design.draws, design.orders) / design.pairs_per_group


def strategy_variance(components: Components, design: StudyDesign) -> float:
    """Variance of a strategy's mean diversity over the problems that could have been asked."""
    variances, own = _variances(components), group_variance(components, design)
    return study.strategy_variance(variances, own, design.n_problems)


def difference_variance(components: Components, design: StudyDesign) -> float:
    """Variance of a paired difference of two strategies' diversities on P problems."""
    variances, own = _variances(components), group_variance(components, design)
    return study.difference_variance(variances, own, design.n_problems)


def noise_shares(components: Components, design: StudyDesign) -> dict[str, float]:
    """How much of a variance is the judge's noise: of a `group`, a `strategy` and a `difference`; 0..1.

    NaN where there is no variance, or where noise or variance is unknown.
    """
    noise = noise_variance(components, design)
    return {
        "group": _share(noise, group_variance(components, design)),
        "strategy": _share(noise / design.n_problems, strategy_variance(components, design)),
        "difference": _share(2 * noise / design.n_problems, difference_variance(components, design)),
    }


def group_icc(components: Components, design: StudyDesign) -> float:
    """Intraclass correlation of a group's diversity: how much of what groups differ in is not sampling, 0..1.

    (s_p^2 + s_ps^2) / (s_p^2 + s_ps^2 + V): Shrout and Fleiss 1979, ICC(1,1), with a group measured once. NaN where
    groups do not differ at all.
    """
    between = components.variances().problem
    return _share(between, between + group_variance(components, design))


def detectable(components: Components, design: StudyDesign, *, power: float = POWER, n_comparisons: int = 1) -> float:
    """The smallest true difference of diversities that this study confirms with the given power."""
    variances, own = _variances(components), group_variance(components, design)
    return study.detectable(variances, own, design.n_problems, n_comparisons=n_comparisons, power=power)


def allocate(
    components: Components,
    design: StudyDesign,
    costs: Costs,
    budget: float = BUDGET_USD,
    *,
    power: float = POWER,
    n_comparisons: int = 1,
) -> tuple[Allocation, ...]:
    """What the next money buys, spent on one thing alone; the best first.

    Args:
        components: Of this study.
        design: As it is.
        costs: Of a call, a response, a problem.
        budget: USD.
        power: Of the detectable difference.
        n_comparisons: Comparisons among which a difference is to be confirmed.
    """
    options = {
        "problems": (_more_problems(design, costs, budget), "n_problems", "it buys no whole problem"),
        "responses": (_more_responses(design, costs, budget), "n_responses", "it buys no response for every group"),
        "pairs": (
            _more_pairs(design, costs, budget),
            "pairs_per_group",
            "all pairs are judged, or it buys none a group",
        ),
        "draws": (_more_draws(design, costs, budget), "draws", ""),
    }
    se, least = _precision(components, design, power, n_comparisons)
    rows = []
    for name, (larger, size, why_not) in options.items():
        calls, cost = larger.calls - design.calls, _cost(larger, costs) - _cost(design, costs)
        sizes = getattr(design, size), getattr(larger, size)
        after = _precision(components, larger, power, n_comparisons)
        detail = why_not if larger == design else ""
        rows.append(Allocation(name, larger, *sizes, calls, cost, after[0], se, after[1], least, detail))
    return tuple(sorted(rows, key=lambda row: row.se))


def _precision(components: Components, design: StudyDesign, power: float, n_comparisons: int) -> tuple[float, float]:
    if design.n_strategies == 1:
        return math.sqrt(strategy_variance(components, design)), math.nan
    se = math.sqrt(difference_variance(components, design))
    return se, detectable(components, design, power=power, n_comparisons=n_comparisons)


def _variances(components: Components) -> Variances:
    """In units of diversity; draws that were not told apart are contained in the pair's."""
    found = components.variances()
    return replace(found, noise=0.0) if math.isnan(found.noise) else found


def _share(part: float, whole: float) -> float:
    return math.nan if whole == 0 else part / whole


def _cost(design: StudyDesign, costs: Costs) -> float:
    responses = design.groups * design.n_responses
    return design.calls * costs.per_call + responses * costs.per_response + design.n_problems * costs.per_problem


def _more_problems(design: StudyDesign, costs: Costs, budget: float) -> StudyDesign:
    each = _cost(replace(design, n_problems=1), costs)
    return replace(design, n_problems=design.n_problems + int(budget / each + _ROUNDING))


def _more_responses(design: StudyDesign, costs: Costs, budget: float) -> StudyDesign:
    """All pairs of the new responses too where all are judged; otherwise the same share of the pairs."""
    share, before, larger = design.pairs_per_group / design.all_pairs, _cost(design, costs), design
    while True:
        n = larger.n_responses + 1
        next_one = replace(larger, n_responses=n, pairs_per_group=round(share * n * (n - 1) / 2))
        if _cost(next_one, costs) - before > budget * (1 + _ROUNDING):
            return larger
        larger = next_one


def _more_pairs(design: StudyDesign, costs: Costs, budget: float) -> StudyDesign:
    each = design.groups * design.orders * design.draws * costs.per_call
    more = design.pairs_per_group + int(budget / each + _ROUNDING)
    return replace(design, pairs_per_group=max(design.pairs_per_group, min(more, design.all_pairs)))


def _more_draws(design: StudyDesign, costs: Costs, budget: float) -> StudyDesign:
    each = design.groups * design.pairs_per_group * design.orders * costs.per_call
    return replace(design, draws=design.draws + budget / each)


_ROUNDING = 1e-9
