"""What would be judged, and at what price: of the groups of a file, or of a study that is no more than numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diversity_judge.budgeting.options import Counts, Part
from diversity_judge.choices import DEFAULT_PROMPT
from diversity_judge.comparing.parts import is_cut
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.inputs.views import estimate_tokens
from diversity_judge.judges.presets import JudgeSpec
from diversity_judge.measures.study import Sample
from diversity_judge.planning.groups import GroupPlan, plan_groups
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.summaries import USUAL_TOKENS, SummaryTemplate
from diversity_judge.scoring.options import ScoreOptions
from diversity_judge.scoring.work import Wanted


@dataclass(frozen=True)
class Purchase:
    """What is bought.

    Attributes:
        calls: Calls.
        tokens_in: Of their prompts, estimated.
        tokens_out: Of their replies, likewise.
        cost_usd: None where no prices are known.
    """

    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None

    def times(self, factor: float) -> Purchase:
        """As much of it."""
        return Purchase(
            round(self.calls * factor),
            round(self.tokens_in * factor),
            round(self.tokens_out * factor),
            None if self.cost_usd is None else self.cost_usd * factor,
        )


class Work(Protocol):
    """A study that can be thinned, and enlarged."""

    @property
    def problems(self) -> int:
        """Problems."""
        ...

    @property
    def common(self) -> int:
        """Problems that any two strategies have in common: the fewest over pairs of strategies."""
        ...

    @property
    def strategies(self) -> Sequence[str]:
        """Names of the strategies."""
        ...

    @property
    def responses(self) -> int:
        """Responses of a group, the most of them."""
        ...

    @property
    def spec(self) -> JudgeSpec:
        """The judge."""
        ...

    def samples(self, pairs: int, draws: int) -> Sequence[Sample]:
        """What is judged of each group that has anything to say, with so many pairs a group."""
        ...

    def purchase(self, pairs: int, draws: int) -> Purchase:
        """What that costs."""
        ...

    def summarised(self, judge: JudgeSpec) -> Work | None:
        """The same study with summaries compared; None where they are already, or a judge asks no LLM.

        Args:
            judge: Who writes and compares them.

        Raises:
            InputError: it cannot be shown a response.
        """
        ...


@dataclass(frozen=True)
class CountedWork:
    """A study in numbers.

    Attributes:
        counts: The numbers.
        score: How it would be scored.
        overhead: Tokens of the template.
    """

    counts: Counts
    score: ScoreOptions
    overhead: int

    @property
    def spec(self) -> JudgeSpec:
        """The judge."""
        return self.score.judge

    @property
    def problems(self) -> int:
        """Problems."""
        return self.counts.problems

    @property
    def common(self) -> int:
        """The same: each strategy has all of them."""
        return self.counts.problems

    @property
    def strategies(self) -> Sequence[str]:
        """Numbers for names."""
        return [f"strategy {number + 1}" for number in range(self.counts.strategies)]

    @property
    def responses(self) -> int:
        """Responses of a group."""
        return self.counts.responses

    @property
    def _orders(self) -> int:
        return 2 if self.score.design.orders == "both" else 1

    def samples(self, pairs: int, draws: int) -> Sequence[Sample]:
        """One for all: the groups are alike."""
        return [Sample(self.responses, pairs, draws, self._orders)]

    def purchase(self, pairs: int, draws: int) -> Purchase:
        """Arithmetic."""
        pairs = min(pairs, Sample(self.responses, 0).all_pairs)
        calls = self.problems * len(self.strategies) * pairs * draws * self._orders
        is_summarised = self.score.judge_input == "summaries"
        tokens_in = calls * (self.overhead + 2 * (USUAL_TOKENS if is_summarised else self.counts.tokens))
        if is_summarised:
            first = self.problems * len(self.strategies) * min(self.responses, 2 * pairs)
            tokens_in += first * (template_tokens_of_a_summary() + self.counts.tokens)
            calls += first
        tokens_out = calls * self.spec.typical_output_tokens
        prices = self.spec.prices
        cost = None if prices is None else prices.cost(prompt_tokens=tokens_in, completion_tokens=tokens_out)
        return Purchase(calls, tokens_in, tokens_out, cost)

    def summarised(self, judge: JudgeSpec) -> Work | None:
        """The same study with summaries compared."""
        score = _summarised(self.score, judge)
        return None if score is None else CountedWork(self.counts, score, template_tokens(score.prompt))


class FileWork:
    """The groups of a file.

    Args:
        groups: The groups.
        score: How they would be scored.
        part: Which responses `compare` would look at.

    Raises:
        InputError: the responses cannot be judged so, or no group has two responses of the part.
    """

    def __init__(self, groups: Sequence[Group], score: ScoreOptions, part: Part) -> None:
        self._groups = groups
        self._score = score
        self._part = part
        self._members = [members_of(group.responses, part) for group in groups]
        self._told = [group for group, members in zip(groups, self._members, strict=True) if members.sum() > 1]
        self._wanted(1, 1)  # It is refused where the judge cannot be shown a response.
        if not self._told:
            raise InputError(f"no group has two {part if part != 'all' else ''} responses, so there is nothing to plan")

    @property
    def spec(self) -> JudgeSpec:
        """The judge."""
        return self._score.judge

    @cached_property
    def problems(self) -> int:
        """Problems of which a group has something to say."""
        return len({group.problem_id for group in self._told})

    @cached_property
    def common(self) -> int:
        """The fewest problems that two strategies have in common; with one strategy, its problems."""
        by_strategy = {name: {g.problem_id for g in self._told if g.strategy == name} for name in self.strategies}
        if len(by_strategy) < 2:
            return self.problems
        return min(len(one & other) for one, other in combinations(by_strategy.values(), 2))

    @cached_property
    def strategies(self) -> Sequence[str]:
        """Names of those of which a group has something to say."""
        return list(dict.fromkeys(group.strategy for group in self._told))

    @cached_property
    def responses(self) -> int:
        """Of the largest group."""
        return max(group.n_responses for group in self._groups)

    @cache  # noqa: B019 - as long-lived as the one plan that a process makes
    def samples(self, pairs: int, draws: int) -> Sequence[Sample]:
        """One a group, counted in its plan."""
        orders = 2 if self._score.design.orders == "both" else 1
        return [
            Sample(int(members.sum()), _pairs_within(plan, members) / orders, draws, orders)
            for plan, members in zip(self._plans(pairs, 1), self._members, strict=True)
            if members.sum() > 1
        ]

    @cache  # noqa: B019
    def purchase(self, pairs: int, draws: int) -> Purchase:
        """By the bill, as `score --dry-run` has it without a ledger."""
        bill = self._wanted(pairs, draws).work(None, summaries_come=True).bill
        return Purchase(bill.calls, bill.input_tokens, bill.output_tokens, bill.cost_usd)

    def summarised(self, judge: JudgeSpec) -> Work | None:
        """The same study with summaries compared."""
        score = _summarised(self._score, judge)
        return None if score is None else FileWork(self._groups, score, self._part)

    def _plans(self, pairs: int, draws: int) -> list[GroupPlan]:
        return plan_groups(self._groups, self._design(pairs, draws), self._score.shown)

    def _wanted(self, pairs: int, draws: int) -> Wanted:
        score = replace(self._score, design=self._design(pairs, draws))
        return Wanted.of(score, self._groups, sends_calls=False)

    def _design(self, pairs: int, draws: int) -> PairDesign:
        return replace(self._score.design, pairs_per_group=pairs, draws=draws)


def members_of(responses: Sequence[Response], part: Part) -> NDArray[np.bool_]:
    """(n,) which responses belong to a part: all, the correct, or those that were not cut."""
    if part == "correct":
        return np.array([response.correct is True for response in responses], dtype=np.bool_)
    if part == "complete":
        return np.array([not is_cut(response) for response in responses], dtype=np.bool_)
    return np.ones(len(responses), dtype=np.bool_)


def template_tokens(prompt: str) -> int:
    """Tokens that the template adds to the two texts."""
    return estimate_tokens(PromptTemplate.load(prompt).file.body)


def template_tokens_of_a_summary() -> int:
    """Tokens that the template adds to the text that is summarised."""
    return estimate_tokens(SummaryTemplate.load().file.body)


def _summarised(score: ScoreOptions, judge: JudgeSpec) -> ScoreOptions | None:
    """The same options with summaries compared, by the template of pairs of them, each in one order."""
    if score.judge.is_embedded or judge.is_embedded or score.judge_input == "summaries":
        return None
    design = replace(score.design, orders="one")
    engine = replace(score.engine, when="now")  # Whether there are cheap hours depends on the judge.
    return replace(
        score, judge=judge, judge_input="summaries", prompt=DEFAULT_PROMPT, anchors=None, design=design, engine=engine
    )


def _pairs_within(plan: GroupPlan, members: NDArray[np.bool_]) -> int:
    """Ordered pairs of the plan whose two responses are members."""
    return sum(int(members[seconds].sum()) for first, seconds in plan.pairs.rows() if members[first])
