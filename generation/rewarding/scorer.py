"""Score what is missing and put it on disk as it comes.

    jobs -> prompts (tokenised a few ahead) -> engine (many at a time) -> journal

The order in which scores come does not matter: each has its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from generation.engines import SampleFailedError
from generation.engines.pooling import PoolingEngine
from generation.in_parallel import give_up_if_hopeless, work_and_keep
from generation.rewarding.journal import Journal
from generation.rewarding.plan import Job, Scored
from generation.rewarding.prompts import Prepared, Prompts

OnScore = Callable[[int | None], None]
"""Called after each text with its number of tokens, or None if it failed."""


@dataclass
class ScoringCounts:
    """What a run did.

    Attributes:
        scored: By key, all of them on disk.
        n_tokens: That were read.
        context: Tokens that the model read at most; 0 where nothing was to do.
        unscored: Why a text has no score, by key.
        failures: Reasons of failed calls and how often each occurred.
    """

    scored: dict[str, Scored] = field(default_factory=dict)
    n_tokens: int = 0
    context: int = 0
    unscored: dict[str, str] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)


async def check_model(engine: PoolingEngine, prompts: Prompts) -> None:
    """Let each server (or the one engine) score a short text, before anything is scored.

    Raises:
        RunError: one is not the recipe's reward model; the message says which and why.
    """
    probe = prompts.probe()
    for name, rows in (await engine.rows_of_each(prompts.request(probe))).items():
        prompts.check(name, probe, rows)


async def score_missing(
    engine: PoolingEngine,
    prompts: Prompts,
    missing: Sequence[Job],
    *,
    context: int,
    journal: Journal,
    concurrency: int,
    on_score: OnScore,
) -> ScoringCounts:
    """Score everything in `missing` and put it on disk.

    Args:
        engine: Started.
        prompts: Of its model.
        missing: What to score, in this order.
        context: Tokens that the model reads at most.
        journal: Where scores go.
        concurrency: Texts in flight at most.
        on_score: Told about each text.

    Raises:
        RunError: nothing can be scored or written any more. What was finished before is on disk.
    """
    result = ScoringCounts(context=context)
    todo = iter(missing)

    async def work(done: Callable[[tuple[Scored, int]], None]) -> None:
        for job in todo:
            prepared = prompts.prepare(job.problem, job.text, context)
            if isinstance(prepared, str):
                result.unscored[job.key] = prepared
                on_score(0)
                continue
            try:
                scores = prompts.scores(prepared, await engine.rows(prompts.request(prepared)))
            except SampleFailedError as error:
                result.unscored[job.key] = str(error)
                result.failures[str(error)] += 1
                on_score(None)
                give_up_if_hopeless(len(result.scored), result.failures, "responses")
            else:
                done((_scored(job, prepared, scores, context), len(prepared.token_ids)))

    async def keep(batch: Sequence[tuple[Scored, int]]) -> None:
        journal.keep([scored for scored, _ in batch])
        for scored, n_tokens in batch:
            result.scored[scored.key] = scored
            result.n_tokens += n_tokens
            on_score(n_tokens)

    await work_and_keep(work, keep, n_workers=min(concurrency, len(missing)))
    return result


def _scored(job: Job, prepared: Prepared, scores: Sequence[float], context: int) -> Scored:
    return Scored(job.key, tuple(scores), context, prepared.steps_cut, prepared.characters_cut, prepared.defused)
