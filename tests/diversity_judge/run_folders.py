"""Run folders made without a judge: the scores and replies are the test's own, everything else is the real code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diversity_judge.choices import Orders
from diversity_judge.engine.tally import Tally
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.judges.base import Reply
from diversity_judge.ledger import Ledger
from diversity_judge.measures.diversity import estimate
from diversity_judge.measures.matrix import build_matrix
from diversity_judge.planning.groups import Showing, plan_groups
from diversity_judge.planning.judgment import Judgment
from diversity_judge.planning.pairs import PairDesign
from diversity_judge.runs.layout import LEDGER
from diversity_judge.scoring import files
from diversity_judge.scoring.group_results import GroupResult, strategy_results
from diversity_judge.scoring.result import ScoreResult

Score = Callable[[Response, Response], int | None]
Say = Callable[[Response, Response], tuple[str, str | None]]


def group(problem_id: str, strategy: str, members: Sequence[dict[str, Any]], problem: str | None = None) -> Group:
    """A group; each member has the fields of a response, `text` among them."""
    responses = tuple(
        Response(problem_id, strategy=strategy, problem=problem, **({"sample_id": i} | member))
        for i, member in enumerate(members)
    )
    return Group(problem_id, strategy, responses, problem)


def make_run(
    folder: Path,
    groups: Sequence[Group],
    score: Score,
    *,
    say: Say = lambda first, second: (f"{first.sample_id} then {second.sample_id}", None),
    orders: Orders = "one",
    pairs_per_group: int | None = None,
    judge: str = "a judge",
    prompt: str = "a prompt",
    kind: str = "chat",
    draws: int = 1,
) -> Path:
    """Write a run folder.

    Args:
        folder: Where to.
        groups: What was judged.
        score: The score of two responses, the first shown first; None for a missing one.
        say: Visible answer and reasoning of the judge.
        orders: One order or both.
        pairs_per_group: A thinned design.
        judge: Its label.
        prompt: Its label.
        kind: `chat`, or `proxy` for the judge that is no LLM.
        draws: Times that a pair is judged; `score` is asked each time.
    """
    plans = plan_groups(groups, PairDesign(orders, pairs_per_group, draws), Showing())
    results = []
    with Ledger(folder / LEDGER) as ledger:
        for plan in plans:
            shown = {pair: [plan.group.responses[i] for i in (pair.first, pair.second)] for pair in plan.pairs}
            keys = {pair: f"{plan.name}/{pair.first}/{pair.second}/{pair.draw}" for pair in plan.pairs}
            scores = {pair: score(*texts) for pair, texts in shown.items()}
            asyncio.run(_keep(ledger, {keys[p]: Reply(*say(*shown[p]), "stop") for p in keys if scores[p] is not None}))
            ids = {key: replies[0].id for key, replies in ledger.replies(list(keys.values())).items()}
            judgments = [
                Judgment(
                    pair,
                    keys[pair],
                    scores[pair],
                    "timeout" if scores[pair] is None else None,
                    n_replies=1,
                    reply_id=ids.get(keys[pair]),
                )
                for pair in plan.pairs
            ]
            matrix = build_matrix(plan.group.n_responses, judgments)
            results.append(GroupResult(plan, judgments, matrix, estimate(matrix), matrix.vendi().value))
    result = ScoreResult(results, strategy_results(results), judge, prompt, False, Tally())
    files.write_run(
        folder,
        result,
        {
            "judge": {"label": judge, "kind": kind},
            "prompt": {"label": prompt},
            "design": {"orders": orders},
            "showing": {"view": "full", "truncate_tokens": None},
            "ledger": str(folder / LEDGER),
        },
        heatmaps="none",
    )
    return folder


async def _keep(ledger: Ledger, replies: dict[str, Reply]) -> None:
    how: dict[str, Any] = {"is_last": True, "cost_usd": None, "host": "h", "attempt": 1, "output_limit": None}
    await asyncio.gather(*(ledger.add_reply(key, reply, **how) for key, reply in replies.items()))
