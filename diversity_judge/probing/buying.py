"""From what the probes ask to scores: one workload over all of them, bought in one session into the run's ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.session import buy
from diversity_judge.engine.tally import Tally
from diversity_judge.engine.workload import Workload, make_workload
from diversity_judge.judges.base import Judge
from diversity_judge.ledger import Ledger
from diversity_judge.ledger.judgments import read_judgments
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import Pair
from diversity_judge.probing.requests import Request
from diversity_judge.probing.same_judge import SameJudge
from diversity_judge.probing.templated import TemplatedJudge


@dataclass(frozen=True)
class Purchase:
    """What is wanted of the judge and what it will cost.

    Attributes:
        requests: What each probe asks.
        judge: Who is asked, under each request's template.
        workload: The same as the engine buys it: the plans of all requests, one after the other.
    """

    requests: tuple[Request, ...]
    judge: Judge
    workload: Workload

    @property
    def calls(self) -> list[int]:
        """Calls that each request needs; one that several share counts for the first."""
        works = iter(self.workload.groups)
        return [sum(int(next(works).is_missing.sum()) for _ in request.plans) for request in self.requests]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a request brought.

    Attributes:
        request: What was asked.
        judgments: A row's draws, one row a row of the request.
    """

    request: Request
    judgments: tuple[tuple[Judgment, ...], ...]

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(N, K) scores 0..5 by row and draw; NaN where one is missing."""
        scores = [[np.nan if j.score is None else float(j.score) for j in draws] for draws in self.judgments]
        return np.array(scores, dtype=np.float64).reshape(len(self.judgments), self.request.draws)

    @property
    def has_scores(self) -> bool:
        """Whether any judgment has one."""
        return not bool(np.isnan(self.scores).all())

    @property
    def missing(self) -> Counter[str]:
        """Judgments without a score, by reason."""
        return Counter(j.reason for draws in self.judgments for j in draws if j.reason is not None)


def plan_purchase(
    source: SameJudge, requests: Sequence[Request], ledger: Ledger | None, options: EngineOptions, *, sends_calls: bool
) -> Purchase:
    """Hold what the probes ask against the ledger.

    Args:
        source: The run and its judge.
        requests: What is asked.
        ledger: The run's; None where nothing is known.
        options: Limits of the calls.
        sends_calls: Whether the judge will be asked; then its key must be there.

    Raises:
        InputError: the key is not in the environment.
    """

    def judge_of(request: Request) -> Judge:
        return source.judge(sends_calls=sends_calls, deadline_s=options.deadline_s, template=request.template)

    others = [(judge_of(request), request.plans) for request in requests if request.template is not None]
    judge = source.judge(sends_calls=sends_calls, deadline_s=options.deadline_s)
    if others:
        judge = TemplatedJudge(judge, others)
    plans = [plan for request in requests for plan in request.plans]
    return Purchase(tuple(requests), judge, make_workload(plans, judge, ledger, source.template))


def buy_answers(purchase: Purchase, ledger: Ledger, options: EngineOptions, console: Console) -> Tally:
    """Buy what is missing; what arrives is in the ledger before it is counted.

    Raises:
        InputError: it costs more than may be spent without a yes; nothing was sent.
    """
    return buy(purchase.workload, purchase.judge, ledger, options, console)


def read_answers(purchase: Purchase, ledger: Ledger | None) -> tuple[Answers, ...]:
    """The answers to each request, as the ledger has them now."""
    return tuple(_answers(request, purchase.judge, ledger) for request in purchase.requests)


def _answers(request: Request, judge: Judge, ledger: Ledger | None) -> Answers:
    known: list[dict[Pair, Judgment]] = [
        {judgment.pair: judgment for judgment in read_judgments(plan, judge, ledger)} for plan in request.plans
    ]
    return Answers(
        request,
        tuple(
            tuple(known[row.plan][Pair(row.pair.first, row.pair.second, draw)] for draw in range(request.draws))
            for row in request.rows
        ),
    )
