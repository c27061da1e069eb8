"""Sample what is missing and put it on disk, as it comes, to be graded.

    work list -> engine (many at a time) -> grading queue (on disk) -> responses file (graded)

The order in which responses finish doesn't matter: each has a seed of its own, made from its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from generation.engines import Engine, EngineInfo, Generation, GenerationRequest, SampleFailedError
from generation.grading.grader import GradeCounts
from generation.grading.queueing import GradingQueue, Row
from generation.in_parallel import give_up_if_hopeless, work_and_keep
from generation.problems import Problem, ProblemKind
from generation.prompt_formats import PromptFormat, lettered
from generation.response_file import SampleKey
from generation.seeds import derive_seed
from generation.strategies import Strategy


@dataclass(frozen=True)
class SamplingPlan:
    """What a run is to sample.

    Attributes:
        problems: In the order of the input.
        strategies: In the order of the command line.
        n: Samples a problem and strategy; greedy strategies take one, since all would be the same.
        run_seed: What all seeds derive from.
        max_tokens: The longest response, None for the model's context.
        formats: How problems of each kind are asked.
    """

    problems: Sequence[Problem]
    strategies: Sequence[Strategy]
    n: int
    run_seed: int
    max_tokens: int | None
    formats: Mapping[ProblemKind, PromptFormat]

    def samples(self) -> Iterator[Sample]:
        """All samples, those of one problem together, so that the engine's prefix cache serves its prompt."""
        for problem in self.problems:
            for strategy in self.strategies:
                for number in range(1 if strategy.is_greedy else self.n):
                    yield Sample(problem, strategy, number)

    def missing(self, finished: Iterable[SampleKey]) -> list[Sample]:
        """The samples that are not in the file yet."""
        done = frozenset(finished)
        return [sample for sample in self.samples() if sample.key not in done]

    def request(self, sample: Sample) -> GenerationRequest:
        """What the engine is asked for."""
        return GenerationRequest(
            messages=self.formats[sample.problem.kind].messages(sample.problem),
            tokens=sample.strategy.tokens,
            seed=self._seed(sample, "tokens"),
            extra_args=sample.strategy.extra_args(self._seed(sample, "routing")),
            max_tokens=self.max_tokens,
        )

    def routing_seed(self, sample: Sample) -> int | None:
        """The seed of the routing noise; None where there is no such noise."""
        return None if sample.strategy.expert_sample is None else self._seed(sample, "routing")

    def _seed(self, sample: Sample, purpose: str) -> int:
        return derive_seed(self.run_seed, sample.problem.problem_id, sample.strategy.name, sample.number, purpose)


@dataclass(frozen=True)
class Sample:
    """One response to be sampled."""

    problem: Problem
    strategy: Strategy
    number: int

    @property
    def key(self) -> SampleKey:
        """Its name in the responses file."""
        return SampleKey(self.problem.problem_id, self.strategy.name, self.number)


@dataclass
class SamplingCounts:
    """What a run did.

    Attributes:
        written: Responses that are on disk.
        n_tokens: Their tokens, as far as the engine told.
        n_cut: Those that were cut off at the longest length.
        failures: Reasons of failed samples and how often each occurred.
        grades: Of these responses and of those that an earlier run left; complete when the queue is at its end.
    """

    written: int = 0
    n_tokens: int = 0
    n_cut: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    grades: GradeCounts = field(default_factory=GradeCounts)

    @property
    def n_correct(self) -> int:
        """Responses graded right."""
        return self.grades.right

    @property
    def n_graded(self) -> int:
        """Responses graded right or wrong."""
        return self.grades.right + self.grades.wrong


OnResponse = Callable[[int | None], None]
"""Called after each sample with its number of tokens, or None if it failed."""
Done = Callable[[tuple[Sample, Generation]], None]
"""Called by a worker with each sample that it has finished."""


async def sample_missing(
    engine: Engine,
    plan: SamplingPlan,
    missing: Sequence[Sample],
    *,
    info: EngineInfo,
    sink: GradingQueue,
    concurrency: int,
    on_response: OnResponse,
    in_rounds: bool = False,
) -> SamplingCounts:
    """Sample everything in `missing` and put it on disk; grading is the queue's business, and may end later.

    Args:
        engine: Started.
        plan: Where the samples' prompts and seeds come from.
        missing: What to sample, in this order.
        info: Noted in each response.
        sink: Where responses go.
        concurrency: Requests in flight at most.
        on_response: Told about each sample.
        in_rounds: Sample in rounds of `concurrency` that start together, the same ones however often the run was
            killed: a round of which anything is missing is sampled whole again, and only what is missing is kept.

    Raises:
        RunError: nothing can be sampled or written any more. What was finished before is on disk.
    """
    result = SamplingCounts(grades=sink.counts)
    todo = iter(missing)

    async def work(done: Done) -> None:
        for sample in todo:
            await work_on(sample, done)

    async def work_on(sample: Sample, done: Done) -> None:
        try:
            generation = await engine.generate(plan.request(sample))
        except SampleFailedError as error:
            note_failure(error)
        else:
            done((sample, generation))

    wanted = frozenset(sample.key for sample in missing)
    rounds = _rounds(plan, wanted, concurrency)

    async def work_in_rounds(done: Done) -> None:
        for together in rounds:
            outcomes = await engine.generate_together([plan.request(sample) for sample in together])
            for sample, outcome in zip(together, outcomes, strict=True):
                if sample.key in wanted:
                    if isinstance(outcome, SampleFailedError):
                        note_failure(outcome)
                    else:
                        done((sample, outcome))

    def note_failure(error: SampleFailedError) -> None:
        result.failures[str(error)] += 1
        on_response(None)
        give_up_if_hopeless(result.written, result.failures, "samples")

    async def keep(batch: Sequence[tuple[Sample, Generation]]) -> None:
        await sink.put([response_row(sample, generation, plan, info) for sample, generation in batch])
        for _, generation in batch:
            _count(result, generation)
            on_response(generation.n_tokens or 0)

    n_workers = engine.rounds_at_once if in_rounds else min(concurrency, len(missing))
    await work_and_keep(work_in_rounds if in_rounds else work, keep, n_workers=n_workers)
    return result


def _rounds(plan: SamplingPlan, wanted: frozenset[SampleKey], size: int) -> Iterator[list[Sample]]:
    """The plan in pieces, without those of which nothing is wanted."""
    samples = plan.samples()
    while together := list(islice(samples, size)):
        if any(sample.key in wanted for sample in together):
            yield together


def response_row(sample: Sample, generation: Generation, plan: SamplingPlan, info: EngineInfo) -> Row:
    """One line of `responses.jsonl`, not graded yet; `meta` holds all that grading needs."""
    problem = sample.problem
    prompt = plan.formats[problem.kind]
    meta = {
        "kind": problem.kind.value,
        "reference": problem.answer,
        "n_choices": len(problem.choices) or None,
        "settings": sample.strategy.settings(),
        "routing_seed": plan.routing_seed(sample),
        "prompt": {"name": prompt.file.name, "version": prompt.file.version, "sha256": prompt.digest},
        "engine": dict(info.versions),
        "problem": dict(problem.meta) or None,
    }
    return {
        "problem_id": problem.problem_id,
        "strategy": sample.strategy.name,
        "sample_id": sample.number,
        # With its options, so that a reader of the responses (or a judge) knows what B was.
        "problem": "\n\n".join(filter(None, (problem.text, lettered(problem.choices)))),
        "response": generation.text,
        "answer": None,
        "correct": None,
        "model": info.model,
        "seed": plan.request(sample).seed,
        "finish_reason": generation.finish_reason,
        "n_tokens": generation.n_tokens,
        "meta": {key: value for key, value in meta.items() if value is not None},
    }


def _count(result: SamplingCounts, generation: Generation) -> None:
    result.written += 1
    result.n_tokens += generation.n_tokens or 0
    result.n_cut += generation.finish_reason == "length"
