"""The choices that a study has, what each costs and shows, and which one is recommended."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from diversity_judge.budgeting.work import Purchase, Work
from diversity_judge.choices import Level
from diversity_judge.files import finite_or_none
from diversity_judge.measures.study import (
    Sample,
    detectable,
    difference_width,
    group_width,
    mean_group_variance,
    smallest,
    strategy_width,
)
from diversity_judge.measures.variances import Variances

CLOSE = 1.15
"""Without an aim, an interval this much wider than that of all pairs is as good as it: the rest of the money buys
little."""
MOST_PROBLEMS = 20_000
MOST_RESPONSES = 2_000


@dataclass(frozen=True)
class Choice:
    """One way to do the study.

    Attributes:
        problems: Problems.
        responses: Responses to each under each strategy.
        pairs_per_group: Unordered pairs that are judged of them.
        draws: Judgments of each.
        calls: Calls that this needs.
        tokens_in: Of their prompts, estimated.
        tokens_out: Of the replies, likewise.
        cost_usd: None where the judge has no prices.
        width: Of the planned 95 % interval, in units of diversity; None where there is none.
        detectable: The true difference of two strategies that is confirmed in 80 %; None where there is none.
    """

    problems: int
    responses: int
    pairs_per_group: int
    draws: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    width: float | None
    detectable: float | None

    @property
    def price(self) -> float:
        """What is compared: the cost, or the calls where there are no prices."""
        return self.calls if self.cost_usd is None else self.cost_usd

    def record(self) -> dict[str, int | float | None]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Aim:
    """What the study is for; at most one of the three numbers is given.

    Attributes:
        level: Whose interval.
        width: The width that it is to have.
        detect: The difference that is to be confirmed.
        budget: USD.
    """

    level: Level
    width: float | None = None
    detect: float | None = None
    budget: float | None = None

    @property
    def has_target(self) -> bool:
        """Whether something is to be shown, whatever it costs."""
        return self.width is not None or self.detect is not None

    def is_met(self, choice: Choice) -> bool:
        """Whether a choice shows what is to be shown."""
        found, wanted = (choice.width, self.width) if self.width is not None else (choice.detectable, self.detect)
        return found is not None and wanted is not None and found <= wanted


class Planner:
    """Makes choices of a study.

    Args:
        work: What would be judged.
        variances: What it stands on.
        level: Whose interval.
        comparisons: Among how many a difference is to be confirmed.
        surrogate_r2: Of a surrogate; 0 without one.
    """

    def __init__(
        self, work: Work, variances: Variances, level: Level, *, comparisons: int = 1, surrogate_r2: float = 0.0
    ) -> None:
        self.work = work
        self._variances = variances
        self.level = level
        self._comparisons = comparisons
        self._r2 = surrogate_r2

    @property
    def all_pairs(self) -> int:
        """Of the largest group."""
        return Sample(self.work.responses, 0).all_pairs

    def with_surrogate(self, r2: float) -> Planner:
        """The same with a surrogate that explains this share."""
        return Planner(self.work, self._variances, self.level, comparisons=self._comparisons, surrogate_r2=r2)

    def width(self, pairs: int) -> float | None:
        """Of the interval with so many pairs a group, without a look at what they cost; None where there is none."""
        samples = self.work.samples(pairs, 1)
        variance = mean_group_variance(self._variances, samples, self._r2)
        return finite_or_none(self._width(variance, samples, self.work.problems))

    def choice(self, pairs: int, draws: int = 1) -> Choice:
        """The study as it is, with so many pairs a group."""
        samples = self.work.samples(pairs, draws)
        return self._made(
            self.work.problems, self.work.responses, pairs, draws, samples, self.work.purchase(pairs, draws)
        )

    def with_problems(self, problems: int, pairs: int) -> Choice:
        """The study on more or fewer problems like these."""
        bought = self.work.purchase(pairs, 1).times(problems / self.work.problems)
        return self._made(problems, self.work.responses, pairs, 1, self.work.samples(pairs, 1), bought)

    def with_responses(self, responses: int, pairs: int) -> Choice:
        """The study with more responses like these."""
        bought = self.work.purchase(self.all_pairs, 1).times(pairs / self.all_pairs)
        like = self.work.samples(self.all_pairs, 1)[0]
        samples = [replace(like, responses=responses, pairs=pairs)]
        return self._made(self.work.problems, responses, pairs, 1, samples, bought)

    def _made(
        self, problems: int, responses: int, pairs: int, draws: int, samples: Sequence[Sample], bought: Purchase
    ) -> Choice:
        variance = mean_group_variance(self._variances, samples, self._r2)
        width = self._width(variance, samples, problems)
        seen = math.nan
        if len(self.work.strategies) > 1:
            seen = detectable(self._variances, variance, self._common(problems), n_comparisons=self._comparisons)
        return Choice(
            problems, responses, min(pairs, Sample(responses, 0).all_pairs), draws, bought.calls, bought.tokens_in,
            bought.tokens_out, bought.cost_usd, finite_or_none(width), finite_or_none(seen),
        )  # fmt: skip

    def _width(self, variance: float, samples: Sequence[Sample], problems: int) -> float:
        if self.level == "group":
            members = round(sum(sample.responses for sample in samples) / len(samples))
            return group_width(self._variances, variance, members, problems * len(self.work.strategies))
        if self.level == "strategy":
            return strategy_width(self._variances, variance, problems)
        return difference_width(self._variances, variance, self._common(problems))

    def _common(self, problems: int) -> int:
        """Problems that two strategies have in common, of so many."""
        return max(1, round(problems * self.work.common / self.work.problems))


def choices_of(planner: Planner, aim: Aim, *, may_draw_again: bool) -> list[Choice]:
    """What the study can choose from: fewer and more pairs up to all of them, and what the aim takes.

    Args:
        planner: Makes them.
        aim: What the study is for.
        may_draw_again: Whether all pairs with a second draw are a choice.
    """
    made = [planner.choice(pairs) for pairs in _ladder(planner)]
    if may_draw_again:
        made.append(planner.choice(planner.all_pairs, draws=2))
    made += _for_the_aim(planner, aim)
    unique = {(c.problems, c.responses, c.pairs_per_group, c.draws): c for c in made}
    return [unique[key] for key in sorted(unique)]


def recommended(choices: Sequence[Choice], planner: Planner, aim: Aim) -> tuple[int | None, str]:
    """The position of the best choice, None where none will do, and the reason."""
    if aim.budget is not None:
        return _within_budget(choices, aim.budget)
    if aim.has_target:
        return _that_meets(choices, planner, aim)
    return _as_good_as_all(choices, planner)


def _ladder(planner: Planner) -> Iterator[int]:
    """Half as many pairs as responses, as many, twice as many and so on, and all."""
    pairs = max(1, planner.work.responses // 2)
    while pairs < planner.all_pairs:
        yield pairs
        pairs *= 2
    yield planner.all_pairs


def _for_the_aim(planner: Planner, aim: Aim) -> Iterator[Choice]:
    fewest = max(1, planner.work.responses // 2)
    if aim.budget is not None:
        yield from _for_a_budget(planner, aim.budget, fewest)
    elif aim.has_target:
        reached = smallest(lambda pairs: aim.is_met(planner.choice(pairs)), fewest, planner.all_pairs)
        if reached is not None:
            yield planner.choice(reached)
        elif aim.level == "group" and aim.width is not None:
            yield from _with_more(planner, aim, planner.work.responses, MOST_RESPONSES, _by_responses)
        else:
            yield from _with_more(planner, aim, planner.work.problems, MOST_PROBLEMS, _by_problems)


def _with_more(
    planner: Planner,
    aim: Aim,
    there_are: int,
    most: int,
    variants: Callable[[Planner], Iterable[Callable[[int], Choice]]],
) -> Iterator[Choice]:
    """The smallest enlarged study that meets the aim, with few pairs and with more."""
    for variant in variants(planner):
        needed = smallest(lambda number, make=variant: aim.is_met(make(number)), there_are + 1, most)  # type: ignore[misc]
        if needed is not None:
            yield variant(needed)


def _by_problems(planner: Planner) -> Iterable[Callable[[int], Choice]]:
    n = planner.work.responses
    sizes = sorted({min(pairs, planner.all_pairs) for pairs in (n, 2 * n, planner.all_pairs)})
    return [lambda problems, pairs=pairs: planner.with_problems(problems, pairs) for pairs in sizes]  # type: ignore[misc]


def _by_responses(planner: Planner) -> Iterable[Callable[[int], Choice]]:
    return [
        lambda responses, share=share: planner.with_responses(  # type: ignore[misc]
            responses, min(Sample(responses, 0).all_pairs, share * responses)
        )
        for share in (2, 4, 8)
    ]


def _for_a_budget(planner: Planner, budget: float, fewest: int) -> Iterator[Choice]:
    over = smallest(lambda pairs: _cost(planner.choice(pairs)) > budget, fewest, planner.all_pairs)
    if over is not None and over > fewest:
        yield planner.choice(over - 1)
    elif over is not None:
        problems = int(planner.work.problems * budget / _cost(planner.choice(fewest)))
        if problems >= 2:
            yield planner.with_problems(problems, fewest)


def _within_budget(choices: Sequence[Choice], budget: float) -> tuple[int | None, str]:
    fitting = [i for i, choice in enumerate(choices) if _cost(choice) <= budget and choice.width is not None]
    if not fitting:
        cheapest = min(map(_cost, choices))
        return None, f"nothing fits {budget:,.2f} USD: the smallest choice costs {cheapest:,.2f} USD"
    best = min(fitting, key=lambda i: (choices[i].width or 0.0, choices[i].price))
    return best, f"the narrowest interval that {budget:,.2f} USD buy"


def _that_meets(choices: Sequence[Choice], planner: Planner, aim: Aim) -> tuple[int | None, str]:
    what = f"a width of {aim.width:g}" if aim.width is not None else f"a difference of {aim.detect:g}"
    meeting = [i for i, choice in enumerate(choices) if aim.is_met(choice)]
    if not meeting:
        return None, f"no study of this kind reaches {what}"
    best = min(meeting, key=lambda i: (choices[i].price, choices[i].calls))
    chosen, work = choices[best], planner.work
    if chosen.problems > work.problems:
        return best, (
            f"all pairs of these {work.problems} problems do not reach {what}; "
            f"{chosen.problems - work.problems} more problems do, and few pairs of each are cheapest"
        )
    if chosen.responses > work.responses:
        return best, (
            f"all pairs of {work.responses} responses do not reach {what}; "
            f"{chosen.responses - work.responses} more responses to each problem do"
        )
    return best, f"the cheapest that reaches {what}"


def _as_good_as_all(choices: Sequence[Choice], planner: Planner) -> tuple[int | None, str]:
    whole = next(c for c in choices if c.pairs_per_group == planner.all_pairs and c.draws == 1)
    if whole.width is None:
        return None, "so few problems or responses have no interval, however many pairs are judged"
    good = [i for i, c in enumerate(choices) if c.width is not None and c.width <= CLOSE * whole.width]
    best = min(good, key=lambda i: (choices[i].calls, choices[i].draws))
    chosen = choices[best]
    if chosen == whole:
        return best, f"fewer pairs widen the interval by more than {(CLOSE - 1) * 100:.0f} %"
    share = chosen.calls / whole.calls if whole.calls else 1.0
    wider = (chosen.width or 0.0) / whole.width - 1
    return best, f"{share * 100:.1f} % of the calls of all pairs, for an interval that is {wider * 100:.0f} % wider"


def _cost(choice: Choice) -> float:
    return choice.cost_usd or 0.0
