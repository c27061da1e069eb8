"""Sample one response a problem while the routers are watched, block by block of problems.

What differs between blocks tells how sure the means are.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from diversity_judge.errors import InputError, RunError
from generation.engines import Engine, SampleFailedError
from generation.engines.in_process import InProcessEngine
from generation.engines.vllm_options import VLLMOptions, require_plugins
from generation.expert_sample.settings import ExpertSampleSettings, ResolvedSettings
from generation.expert_sample.vllm.support import ModelSupport
from generation.expert_use.asked import Asked
from generation.expert_use.numbers import RouterNumbers
from generation.expert_use.options import ProbabilitiesOptions
from generation.expert_use.probe import EXTENSION
from generation.expert_use.profile import Reading, RoutingProfile
from generation.prompt_formats import formats_for
from generation.sampling.run import workload
from generation.sampling.sampler import Sample, SamplingPlan
from generation.strategies import Strategy

_MOST_BLOCKS = 20
"""Blocks of problems in which the routers are watched; more would leave the engine with small batches."""


_NOT_STUDIED = "the routing of this model can't be studied"


@dataclass(frozen=True)
class Seen:
    """What a model's routers and its head did while it wrote one response to each problem.

    Attributes:
        profile: Router probabilities by rank.
        numbers: What Expert-Sample would change, and the entropy of the next token.
        k_keep: Experts of the head.
        draw: The settings of the draw for this model; None where no expert can be drawn.
    """

    profile: RoutingProfile
    numbers: RouterNumbers
    k_keep: int
    draw: ResolvedSettings | None


async def watch(options: ProbabilitiesOptions) -> Seen:
    """Start an engine, watch it and end it.

    Raises:
        InputError: an option or a problem is wrong, or settings of the draw that this model can't have.
        RunError: the engine does not start, or the model's routers cannot be watched.
    """
    strategy = options.read_strategy()
    settings = options.draw_of(strategy)
    require_plugins([strategy])
    plan = _plan(options, strategy)
    engine = _engine(options, plan)
    try:
        await engine.start()
        draw, no_draw = _for_model(settings, await _support(engine), is_asked=options.asks_for_a_draw)
        readings = await _readings(engine, plan, Asked(strategy.tokens, strategy.edt, draw, options.seed))
        profile = RoutingProfile.from_workers(*readings)
        is_greedy = strategy.tokens.temperature == 0
        numbers = RouterNumbers.from_workers(*readings, is_greedy=is_greedy, no_draw=no_draw)
    except ValueError as error:
        raise RunError(f"{_NOT_STUDIED}: {error}") from error
    finally:
        await engine.close()
    return Seen(profile, numbers, _head(settings, profile.active_experts), draw)


def _plan(options: ProbabilitiesOptions, strategy: Strategy) -> SamplingPlan:
    problems = options.load_problems()
    formats = formats_for(problems, options.prompt_formats)
    return SamplingPlan(problems, [strategy], 1, options.seed, options.max_tokens, formats)


def _engine(options: ProbabilitiesOptions, plan: SamplingPlan) -> InProcessEngine:
    # Eager: a compiled graph would have traced the routers before they are watched. Not asynchronous: a response that
    # ends would have one step more, whose token is thrown away and would be counted.
    watched = {"worker_extension_cls": EXTENSION, "enforce_eager": True, "async_scheduling": False}
    return InProcessEngine(
        VLLMOptions(
            str(options.model),
            dict(options.engine_args) | watched,
            options.active_experts,
            options.chat_template,
            options.chat_template_kwargs,
            expert_sample=True,  # so that no kernel is chosen that routes by itself
            workload=workload(plan, math.ceil(len(plan.problems) / _MOST_BLOCKS)),
            log=options.out / "engine.log",
        )
    )


async def _support(engine: InProcessEngine) -> ModelSupport:
    return ModelSupport.of_ranks(await engine.call_workers("routing_probe_support"))


def _for_model(
    settings: ExpertSampleSettings, support: ModelSupport, *, is_asked: bool
) -> tuple[ResolvedSettings | None, str]:
    """The draw's settings for this model, or why there are none.

    Raises:
        InputError: they are asked for, and this model can't have them.
    """
    if support.reason is not None:
        return None, support.reason
    try:
        return settings.resolve(support.k, support.n_experts), ""
    except ValueError as error:
        if is_asked:
            raise InputError(f"the draw that is asked for: {error}") from error
        return None, str(error).rstrip(".")


def _head(settings: ExpertSampleSettings, k: int) -> int:
    try:
        return settings.kept(k)
    except ValueError as error:
        raise InputError(f"--k-keep: {error}") from error


async def _readings(engine: InProcessEngine, plan: SamplingPlan, asked: Asked) -> list[Reading]:
    """What the workers saw after each block of problems.

    Raises:
        RunError: the model can't be watched, or a response can't be sampled.
    """
    for reason in await engine.call_workers("start_routing_probe", asked.plain()):
        if reason is not None:
            raise RunError(f"{_NOT_STUDIED}: {reason}")
    readings: list[Reading] = []
    for block in _blocks(list(plan.samples())):
        await asyncio.gather(*(_generate(engine, plan, sample) for sample in block))
        readings.append(await engine.call_workers("read_routing_probe"))
    return readings


def _blocks(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """The samples, one a problem, in pieces of equal size."""
    size = math.ceil(len(samples) / _MOST_BLOCKS)
    return [samples[start : start + size] for start in range(0, len(samples), size)]


async def _generate(engine: Engine, plan: SamplingPlan, sample: Sample) -> None:
    try:
        await engine.generate(plan.request(sample))
    except SampleFailedError as error:
        raise RunError(str(error)) from error
