"""`generation.reward(RewardOptions(...))`: score the responses of a file by a reward model.

    responses -> plan -> what has no score yet -> engine -> journal (as they come) -> the responses with their rewards

The same options again continue a run that was killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from diversity_judge.display import counted
from generation.engines.cpu_cache import Workload
from generation.engines.make import make_pooling_engine
from generation.interrupts import run_interruptible
from generation.response_rows import reading
from generation.rewarding.files import write_rewarded
from generation.rewarding.journal import Journal, known_scores, open_journal
from generation.rewarding.options import RewardOptions
from generation.rewarding.plan import RewardPlan, Scored, is_rewarded, plan_rewards
from generation.rewarding.prompts import NOTHING_TO_SCORE, TOO_LONG, Prompts, engine_args, load_tokenizer
from generation.rewarding.scorer import OnScore, ScoringCounts, check_model, score_missing
from generation.sampling.run import engine_log


@dataclass(frozen=True)
class RewardResult:
    """What a run scored, and what its file lacks; counts are of responses, which may share a text.

    Attributes:
        path: The responses with their rewards.
        n_responses: In it.
        n_rewarded: Those that have a reward.
        n_new: Texts that this run scored.
        n_tokens: That it read for them.
        n_replaced: Responses whose reward came from elsewhere and was replaced.
        n_cut: Responses of which something did not fit into the context, and was left out.
        steps_cut: Their steps that were left out.
        n_defused: Responses that spell out special tokens, which were read as ordinary text.
        empty: Responses with nothing to score in the view.
        too_long: Responses whose first step, or whose question, does not fit into the context.
        failures: Reasons of failed calls and how often each occurred.
        view: What of a response was scored.
        context: Tokens that the model reads at most.
    """

    path: Path
    n_responses: int
    n_rewarded: int
    n_new: int
    n_tokens: int
    n_replaced: int
    n_cut: int
    steps_cut: int
    n_defused: int
    empty: int
    too_long: int
    view: str
    context: int
    failures: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def missing(self) -> int:
        """Responses that should have a reward and have none; the same again tries them again."""
        return self.n_responses - self.n_rewarded - self.empty - self.too_long

    def __str__(self) -> str:
        """A few plain sentences."""
        were = "was" if self.n_new == 1 else "were"
        lines = [
            f"{self.n_rewarded} of {counted(self.n_responses, 'response')} have a reward in {self.path}; "
            f"{counted(self.n_new, 'text')} ({counted(self.n_tokens, 'token')}) {were} scored now"
        ]
        if self.n_replaced:
            lines.append(f"{counted(self.n_replaced, 'response')} had a reward from elsewhere, which is replaced")
        if self.n_cut:
            are = counted(self.n_cut, "response is", "responses are")
            ends, beginnings = (
                ("its end", "its beginning was") if self.n_cut == 1 else ("their ends", "their beginnings were")
            )
            steps = f"what did not fit was left out ({counted(self.steps_cut, 'step')} at {ends})"
            lines.append(
                f"{are} longer than the context of {self.context:,} tokens: "
                f"{steps if self.steps_cut else f'{beginnings} left out'}"
            )
        if self.n_defused:
            spell = counted(self.n_defused, "response spells", "responses spell")
            lines.append(f"{spell} out special tokens of the model; they were read as text")
        if self.empty:
            lines.append(f"{_have(self.empty)} no reward: nothing to score in them (--view {self.view})")
        if self.too_long:
            lines.append(
                f"{_have(self.too_long)} no reward: not even the first step fits into the context of "
                f"{self.context:,} tokens"
            )
        lines += [f"{counted(times, 'response')} failed: {reason}" for reason, times in list(self.failures.items())[:5]]
        if self.missing:
            lines.append(f"{_have(self.missing)} no reward yet; the same again tries them again")
        return "\n".join(lines)


def _have(number: int) -> str:
    return counted(number, "response has", "responses have")


class RewardReporter(Protocol):
    """Somebody who watches a run."""

    def begins(self, plan: RewardPlan, n_missing: int) -> None:
        """What is to be scored is known; nothing is started yet."""

    def progress(self, total: int) -> AbstractContextManager[OnScore]:
        """The engine is ready and so many texts are to come; each is told to what the block is given."""


class Silent:
    """A `RewardReporter` that tells nobody."""

    def begins(self, plan: RewardPlan, n_missing: int) -> None:
        """See `RewardReporter.begins`."""

    def progress(self, total: int) -> AbstractContextManager[OnScore]:
        """See `RewardReporter.progress`."""
        return nullcontext(lambda _: None)


def reward(options: RewardOptions, reporter: RewardReporter = Silent()) -> RewardResult:  # noqa: B008 - it is empty
    """Score the responses of a file that have no score yet, and write them all with their rewards.

    Args:
        options: What is scored, by which model, into which file.
        reporter: Told about the plan and each text.

    Raises:
        InputError: an option, a response or a recipe is wrong.
        RunError: the engine does not start, is no such reward model, or fails, or the disk refuses. What was scored
            is kept.
        KeyboardInterrupt: it was interrupted. What was scored is kept.
    """
    # To the end, as the file may be replaced: what is sampled into it meanwhile would be lost.
    with reading(options.responses), open_journal(options.target) as journal:
        plan = plan_rewards(options)
        known = known_scores(options.target, options.responses, plan.rows)
        missing = plan.missing(known)
        reporter.begins(plan, len(missing))
        counts = ScoringCounts()
        if missing:
            prompts = Prompts(plan.recipe, _tokenizer(options))
            counts = run_interruptible(_score(options, plan, prompts, known, journal, reporter))
        scores = known | counts.scored
        write_rewarded(options, plan, scores, counts.unscored)
        journal.remove()
    return _result(options, plan, scores, counts)


def _tokenizer(options: RewardOptions) -> object:
    name = options.tokenizer or str(options.model)
    return load_tokenizer(name, trust_remote_code=bool(options.engine_args.get("trust_remote_code")))


async def _score(
    options: RewardOptions,
    plan: RewardPlan,
    prompts: Prompts,
    known: Mapping[str, Scored],
    journal: Journal,
    reporter: RewardReporter,
) -> ScoringCounts:
    missing = plan.missing(known)
    known_to_its_server = bool(options.base_urls)
    context = min(plan.context, (None if known_to_its_server else longest_of(str(options.model))) or plan.context)
    engine = make_pooling_engine(
        options,
        engine_args(plan.recipe, prompts, context),
        workload=Workload(options.concurrency, context),
        log=engine_log(options.target),
    )
    try:
        await engine.start()
        await check_model(engine, prompts)
        with reporter.progress(len(missing)) as on_score:
            return await score_missing(
                engine,
                prompts,
                missing,
                context=min(context, engine.max_model_len or context),
                journal=journal,
                concurrency=options.concurrency,
                on_score=on_score,
            )
    finally:
        await engine.close()


def longest_of(model: str) -> int | None:
    """Tokens that a model has positions for, where its configuration says so."""
    from transformers import PretrainedConfig

    try:
        config, _ = PretrainedConfig.get_config_dict(model)
    except Exception:  # a name that a server made up, or vLLM's to say what is wrong with it
        return None
    found = config.get("max_position_embeddings")
    return found if isinstance(found, int) else None


def _result(
    options: RewardOptions, plan: RewardPlan, scores: Mapping[str, Scored], counts: ScoringCounts
) -> RewardResult:
    have = [scores[job.key] for job in plan.jobs if job.key in scores]
    why_not = Counter(counts.unscored.get(job.key) for job in plan.jobs if job.key not in scores)
    foreign = sum(row.get("reward") is not None and not is_rewarded(row) for row in plan.rows)
    return RewardResult(
        path=options.target,
        n_responses=len(plan.jobs),
        n_rewarded=len(have),
        n_new=len(counts.scored),
        n_tokens=counts.n_tokens,
        n_replaced=foreign,
        n_cut=sum(bool(scored.steps_cut or scored.characters_cut) for scored in have),
        steps_cut=sum(scored.steps_cut for scored in have),
        n_defused=sum(scored.defused > 0 for scored in have),
        empty=why_not[NOTHING_TO_SCORE],
        too_long=why_not[TOO_LONG],
        view=options.view,
        context=counts.context or min((scored.context for scored in have), default=plan.context),
        failures=dict(counts.failures.most_common()),
    )
