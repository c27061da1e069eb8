"""`generation.sample(SampleOptions(...))`: sample responses to problems by several strategies.

    problems -> plan -> what the file lacks -> engine -> grading queue -> graded lines in responses.jsonl

One start of the engine serves all strategies. The same options again continue a run that was killed.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from diversity_judge import __version__
from diversity_judge.display import counted
from diversity_judge.errors import InputError
from diversity_judge.hosts.secrets import without_credentials
from generation.engines import Engine, check_strategies
from generation.engines.cpu_cache import Workload
from generation.engines.make import make_engine
from generation.engines.options import shown_servers
from generation.grading.grader import Grader
from generation.grading.queueing import GradingQueue
from generation.interrupts import run_interruptible
from generation.problems import Problem, ProblemKind
from generation.prompt_formats import formats_for
from generation.response_file import (
    Manifest,
    SampleKey,
    check_resume,
    finished_samples,
    has_waiting,
    open_response_file,
    read_manifest,
)
from generation.sampling.options import SampleOptions
from generation.sampling.sampler import OnResponse, Sample, SamplingCounts, SamplingPlan, sample_missing
from generation.seeds import fresh_run_seed
from generation.strategies import load_presets, parse_strategies

NUMERIC_ENGINE_ARGS = ("dtype", "quantization", "hf_overrides", "revision", "kv_cache_dtype")
"""Engine arguments that change what is sampled; parallelism and memory only change how fast."""

_CHAT_TEMPLATE_AT_MOST = 512
"""Tokens that a chat template adds to a prompt; some write a system message of their own."""


@dataclass(frozen=True)
class SamplingResult:
    """What a run sampled, and what its file lacks.

    Attributes:
        path: The responses file.
        seed: What all seeds derive from.
        wanted: Responses that the options ask for.
        missing: Those of them that are not in the file; empty when all are there.
        written: Responses that this run added.
        n_tokens: Their tokens, as far as the engine told.
        n_correct: Those graded right, with what an earlier run had sampled and not graded.
        n_graded: Those graded right or wrong.
        n_cut: Those that were cut off at the longest length.
        failures: Reasons of failed samples and how often each occurred.
        ungraded: Why responses are neither right nor wrong, and how many of them.
    """

    path: Path
    seed: int
    wanted: int
    missing: tuple[SampleKey, ...] = field(default=(), repr=False)
    written: int = 0
    n_tokens: int = 0
    n_correct: int = 0
    n_graded: int = 0
    n_cut: int = 0
    failures: Mapping[str, int] = field(default_factory=dict, repr=False)
    ungraded: Mapping[str, int] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        """A few plain sentences."""
        lines = [f"{counted(self.written, 'response')} ({counted(self.n_tokens, 'token')}) written to {self.path}"]
        if self.n_graded:
            lines.append(f"{self.n_correct} of {self.n_graded} graded answers are right")
        lines += [
            f"{counted(times, 'response is', 'responses are')} not graded: {reason}"
            for reason, times in self.ungraded.items()
        ]
        if self.n_cut:
            were = counted(self.n_cut, "response was", "responses were")
            lines.append(f"{were} cut off at their longest length (--max-tokens, --max-model-len)")
        lines += [f"{counted(times, 'sample')} failed: {reason}" for reason, times in list(self.failures.items())[:5]]
        if self.missing:
            lines.append(f"{len(self.missing)} of {self.wanted} responses are missing; the same again tries them again")
        return "\n".join(lines)


class SamplingReporter(Protocol):
    """Somebody who watches a run."""

    def begins(self, plan: SamplingPlan, missing: Sequence[Sample], out: Path) -> None:
        """What is to be sampled is known; nothing is started yet."""

    def progress(self, total: int) -> AbstractContextManager[OnResponse]:
        """The engine is ready and so many responses are to come; each is told to what the block is given."""

    def waits(self, n_ungraded: int) -> None:
        """Sampling is over and the engine closed; so many responses are still to be graded."""


class Silent:
    """A `SamplingReporter` that tells nobody."""

    def begins(self, plan: SamplingPlan, missing: Sequence[Sample], out: Path) -> None:
        """See `SamplingReporter.begins`."""

    def progress(self, total: int) -> AbstractContextManager[OnResponse]:
        """See `SamplingReporter.progress`."""
        return nullcontext(lambda _: None)

    def waits(self, n_ungraded: int) -> None:
        """See `SamplingReporter.waits`."""


def sample(options: SampleOptions, reporter: SamplingReporter = Silent()) -> SamplingResult:  # noqa: B008 - it is empty
    """Sample the responses that the file of the options lacks.

    Args:
        options: What is sampled, from which model, into which file.
        reporter: Told about the plan and each response.

    Returns:
        What was sampled, and what is still missing because its sample failed.

    Raises:
        InputError: an option, a problem or a strategy is wrong, or the file was sampled with other settings.
        RunError: the engine does not start or fails, or the disk refuses. What was finished is in the file.
        KeyboardInterrupt: it was interrupted. What was finished is in the file.
    """
    plan = plan_sampling(options)
    manifest = _manifest(options, plan)
    check_resume(options.out, manifest)
    missing = missing_samples(options, plan)
    reporter.begins(plan, missing, options.out)
    counts = SamplingCounts()
    if missing or has_waiting(options.out):
        _check_grading(plan.problems)
        engine = _engine(options, plan) if missing else None
        counts = run_interruptible(_sample(options, engine, plan, manifest, reporter))
    return _result(options, plan, counts)


def plan_sampling(options: SampleOptions) -> SamplingPlan:
    """Everything that the options ask for, whether it is in the file or not.

    Raises:
        InputError: a problem, a strategy or a prompt format is wrong.
    """
    problems = options.load_problems()
    return SamplingPlan(
        problems=problems,
        strategies=parse_strategies(list(options.strategies), load_presets(options.strategies_file)),
        n=options.n,
        run_seed=_run_seed(options.seed, options.out),
        max_tokens=options.max_tokens,
        formats=formats_for(problems, options.prompt_formats),
    )


def missing_samples(options: SampleOptions, plan: SamplingPlan) -> list[Sample]:
    """What of the plan is not in the file yet.

    Raises:
        InputError: a line of the file is not a response of this command.
    """
    return plan.missing(finished_samples(options.out))


def _engine(options: SampleOptions, plan: SamplingPlan) -> Engine:
    load = workload(plan, options.concurrency)
    return make_engine(options, plan.strategies, workload=load, log=engine_log(options.out))


def engine_log(out: Path) -> Path:
    """Where an engine that fails leaves what it said, beside the responses file."""
    return out.with_suffix(".engine.log")


def workload(plan: SamplingPlan, concurrency: int) -> Workload:
    """How many requests are in flight, and how long they can become. A token is at least a byte of a prompt."""
    messages = (plan.formats[problem.kind].messages(problem) for problem in plan.problems)
    prompt = max(sum(len(message.content.encode("utf-8", "replace")) for message in chat) for chat in messages)
    longest = None if plan.max_tokens is None else prompt + _CHAT_TEMPLATE_AT_MOST + plan.max_tokens
    return Workload(concurrency, longest)


def check_file(options: SampleOptions, plan: SamplingPlan) -> None:
    """Refuse a file that was sampled with other settings.

    Raises:
        InputError: the message names what differs.
    """
    check_resume(options.out, _manifest(options, plan))


def _run_seed(asked: int | None, out: Path) -> int:
    """The seed that was asked for, or the one of the run that is resumed, or a fresh one."""
    if asked is not None:
        return asked
    earlier = read_manifest(out)
    recorded = (earlier or {}).get("settings", {}).get("seed")
    return recorded if isinstance(recorded, int) else fresh_run_seed()


def _manifest(options: SampleOptions, plan: SamplingPlan) -> Manifest:
    settings: dict[str, Any] = {
        "model": str(options.model),
        "seed": plan.run_seed,
        "max_tokens": plan.max_tokens,
        "max_model_len": options.engine_args.get("max_model_len"),
        "active_experts": options.active_experts,
        "chat_template": options.chat_template,
        "chat_template_kwargs": dict(options.chat_template_kwargs),
    }
    settings |= {name: options.engine_args.get(name) for name in NUMERIC_ENGINE_ARGS}
    if options.repeatable:
        settings["rounds_of"] = options.concurrency
    return Manifest(
        settings=settings,
        strategies={strategy.name: strategy.settings() for strategy in plan.strategies},
        problems={problem.problem_id: problem.digest for problem in plan.problems},
        prompts={kind.value: prompt.digest for kind, prompt in plan.formats.items()},
    )


def _check_grading(problems: Sequence[Problem]) -> None:
    """Hours of sampling must not end with an ImportError at the first grade."""
    needs = any(problem.kind is ProblemKind.MATH and problem.answer is not None for problem in problems)
    if needs and importlib.util.find_spec("math_verify") is None:
        raise InputError("grading mathematics needs math-verify: pip install 'diversity-judge[generation]'")


async def _sample(
    options: SampleOptions, engine: Engine | None, plan: SamplingPlan, manifest: Manifest, reporter: SamplingReporter
) -> SamplingCounts:
    """Sample what is missing, if anything is, and grade it with what an earlier run left."""
    # The file first: a second run on it, or a full disk, must not cost an engine start.
    with open_response_file(options.out, manifest, _run_note(options)) as file, Grader() as grader:
        async with GradingQueue(file, grader) as sink:
            missing = plan.missing(file.finished)
            if engine is None or not missing:
                return SamplingCounts(grades=sink.counts)
            try:
                info = await engine.start()
                await check_strategies(engine, plan.strategies)
                with reporter.progress(len(missing)) as on_response:
                    counts = await sample_missing(
                        engine,
                        plan,
                        missing,
                        info=info,
                        sink=sink,
                        concurrency=options.concurrency,
                        on_response=on_response,
                        in_rounds=options.repeatable,
                    )
            finally:
                await engine.close()
            reporter.waits(sink.length)
            return counts


def _run_note(options: SampleOptions) -> Mapping[str, Any]:
    return {
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "version": __version__,
        "host": platform.node(),
        "process": os.getpid(),
        "n": options.n,
        "servers": shown_servers(options),
        "engine_args": without_credentials(options.engine_args),
        "cpu_replicas": options.cpu_replicas,
    }


def _result(options: SampleOptions, plan: SamplingPlan, counts: SamplingCounts) -> SamplingResult:
    return SamplingResult(
        path=options.out,
        seed=plan.run_seed,
        wanted=sum(1 for _ in plan.samples()),
        missing=tuple(sample.key for sample in missing_samples(options, plan)),
        written=counts.written,
        n_tokens=counts.n_tokens,
        n_correct=counts.n_correct,
        n_graded=counts.n_graded,
        n_cut=counts.n_cut,
        failures=dict(counts.failures.most_common()),
        ungraded=dict(counts.grades.ungraded.most_common()),
    )
