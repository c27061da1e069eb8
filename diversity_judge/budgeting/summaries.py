"""Summaries as a surrogate: the recommended width by fewer pairs of the full judge, at what price, and whether it pays.

All pairs of summaries are judged by the cheapest preset, and the full judge is asked about as few pairs as then give
the same width. How few depends on how much of the judge's scores the summaries' explain, which only a trial can say:
it is assumed, and beside it stands the share from which on it pays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from diversity_judge.budgeting.choices import Choice, Planner
from diversity_judge.budgeting.commands import score_command
from diversity_judge.budgeting.options import PlanOptions
from diversity_judge.budgeting.work import Purchase, Work
from diversity_judge.errors import InputError
from diversity_judge.judges.presets import JudgeSpec, load_presets
from diversity_judge.measures.study import smallest
from diversity_judge.measures.surrogate import MIN_PAIRS
from diversity_judge.planning.summaries import USUAL_TOKENS

ASSUMED_R2 = 0.7
"""What word overlap explains of a judge's scores of short, formal responses; of summaries nothing is known yet."""
FOLDER = "results/summaries"
_STEPS = 100
"""Of the share that must be explained: percent."""


@dataclass(frozen=True)
class Offer:
    """The study with summaries as the surrogate of fewer pairs.

    Attributes:
        judge: Who writes the summaries and compares them all.
        summaries: What that takes.
        choice: The whole, both together, and the width if the assumed share is explained.
        instead: The same width by the full judge alone.
        surrogate_r2: The assumed share of the scores' variance.
        needed: The share, in percent, from which on it is cheaper; None: it never is.
        commands: Two lines, in this order.
    """

    judge: JudgeSpec
    summaries: Purchase
    choice: Choice
    instead: Choice
    surrogate_r2: float
    needed: int | None
    commands: tuple[str, str]

    @property
    def pays(self) -> bool:
        """Whether it is cheaper, if the assumed share is explained."""
        return self.choice.price < self.instead.price

    @property
    def sentence(self) -> str:
        """What it costs and shows, and whether it is worth it."""
        surrogate, whole, judge = self.summaries, self.choice, self.judge
        price = surrogate.cost_usd or 0.0
        hours = ", in its dear hours" if judge.off_peak else ""
        return (
            f"summaries as a surrogate: all pairs of summaries by {judge.name}, {surrogate.calls:,} calls for "
            f"{price:,.2f} USD (estimated: {USUAL_TOKENS} tokens a summary, {judge.typical_output_tokens:,} a "
            f"reply{hours}), and {whole.pairs_per_group:,} pairs a group by the judge itself, "
            f"{whole.calls - surrogate.calls:,} calls for {whole.price - price:,.2f} USD: {whole.price:,.2f} USD for a "
            f"width of {whole.width:.3f}, if they explain {self.surrogate_r2 * 100:.0f} % of the scores' variance "
            f"(assumed; one problem tells). {self._verdict}"
        )

    @property
    def _verdict(self) -> str:
        alone = f"{self.instead.pairs_per_group:,} pairs by the judge alone cost {self.instead.price:,.2f} USD"
        if self.needed is None:
            return f"By these prices it never pays, whatever they explain: {alone}"
        if not self.pays:
            return f"By these prices it does not pay: {alone}; it would if they explained {self.needed} % or more"
        return f"By these prices it pays: {alone}; and so from {self.needed} % on"

    def record(self) -> dict[str, Any]:
        """As JSON has it: a choice, and what else is known of it."""
        return {
            **self.choice.record(),
            "name": "summaries as a surrogate",
            "surrogate": {"judge": self.judge.name, "calls": self.summaries.calls, "cost_usd": self.summaries.cost_usd},
            "surrogate_r2": self.surrogate_r2,
            "pays": self.pays,
            "pays_from_r2": None if self.needed is None else self.needed / _STEPS,
            "instead_of": self.instead.record(),
            "commands": list(self.commands),
        }


def summaries_offer(options: PlanOptions, planner: Planner, chosen: Choice | None) -> Offer | None:
    """The recommended width by summaries and fewer pairs.

    Args:
        options: Of the plan.
        planner: Of the study without a surrogate.
        chosen: What is recommended. Where that is another study than the one there is, all its pairs are compared with.

    Returns:
        None where the judge has no prices or asks no LLM, summaries are compared already, or too few pairs are judged
        to fit a surrogate to them.
    """
    work = planner.work
    alone = planner.choice(planner.all_pairs)
    if chosen is not None and (chosen.problems, chosen.responses) == (work.problems, work.responses):
        alone = planner.choice(min(chosen.pairs_per_group, planner.all_pairs))
    fewest = _fewest(work)
    if alone.width is None or not alone.cost_usd or not fewest < alone.pairs_per_group:
        return None
    summarised = next(_from_the_cheapest(work, planner.all_pairs), None)
    if summarised is None:
        return None
    bought, width = summarised.purchase(planner.all_pairs, 1), alone.width

    def made(r2: float) -> Choice:
        sharp = planner.with_surrogate(r2)
        pairs = smallest(lambda m: (sharp.width(m) or 1.0) <= width, fewest, alone.pairs_per_group)
        return _with(bought, sharp.choice(alone.pairs_per_group if pairs is None else pairs))

    dear = (bought.cost_usd or 0.0) >= alone.cost_usd
    needed = None if dear else smallest(lambda step: made(step / _STEPS).price < alone.price, 0, _STEPS - 1)
    choice, judge = made(ASSUMED_R2), summarised.spec
    commands = (
        score_command(options, judge=judge.name, further=f"--judge-input summaries --out {FOLDER}"),
        score_command(options, further=f"--pairs-per-group {choice.pairs_per_group} --surrogate {FOLDER}"),
    )
    return Offer(judge, bought, choice, alone, ASSUMED_R2, needed, commands)


def _fewest(work: Work) -> int:
    """Pairs a group from which on each response has one, and the others' are enough to fit a surrogate to them."""
    others = work.problems * len(work.strategies) - 1
    return max(1, work.responses // 2, math.ceil(MIN_PAIRS / others) if others else MIN_PAIRS**2)


def _with(summaries: Purchase, choice: Choice) -> Choice:
    return replace(
        choice,
        calls=choice.calls + summaries.calls,
        tokens_in=choice.tokens_in + summaries.tokens_in,
        tokens_out=choice.tokens_out + summaries.tokens_out,
        cost_usd=(choice.cost_usd or 0.0) + (summaries.cost_usd or 0.0),
    )


def _from_the_cheapest(work: Work, pairs: int) -> Iterator[Work]:
    """The study with summaries compared by the judge itself or a preset that has prices; those that can, in order."""
    own = work.summarised(work.spec)
    if own is None:
        return
    sized = own.purchase(pairs, 1)
    known = {spec.name: spec for spec in load_presets().values() if spec.prices is not None and spec.prices.output > 0}
    known[work.spec.name] = work.spec  # Others that cost nothing stand on somebody's own machines.
    for spec in sorted(known.values(), key=lambda spec: (_cost(spec, sized), spec.name != work.spec.name)):
        try:
            found = work.summarised(spec)
        except InputError:  # Its context is too small for a response.
            continue
        if found is not None:
            yield found


def _cost(spec: JudgeSpec, sized: Purchase) -> float:
    if spec.prices is None:
        return math.inf
    return spec.prices.cost(prompt_tokens=sized.tokens_in, completion_tokens=sized.calls * spec.typical_output_tokens)
