"""`python -m generation.routing`: how a model routes, and what other numbers of experts do to it.

probabilities   mean router probability by rank with intervals over problems, as tables and the two-panel figure
active-experts  greedy accuracy and pass@n for several numbers of active experts
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("generation.routing")

import argparse
import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.command_line import CommandParser
from diversity_judge.errors import InputError, RunError
from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Group
from diversity_judge.measures.intervals import strategy_estimate
from diversity_judge.measures.outcomes import Outcome, curve_sizes, pass_curve
from generation.engines import Engine, SampleFailedError
from generation.engines.in_process import InProcessEngine
from generation.engines.options import EngineOptions
from generation.engines.vllm_options import VLLMOptions
from generation.expert_sample.settings import ExpertSampleSettings
from generation.interrupts import run_interruptible, signals_interrupt
from generation.prompt_formats import formats_for
from generation.routing_study.probe import BINS, EXTENSION, RoutingProfile
from generation.routing_study.report import ActiveExpertsPoint, write_active_experts, write_profile
from generation.sampling.arguments import (
    add_in_process_options,
    add_problem_options,
    add_sampling_options,
    add_server_options,
    common_options,
    engine_args,
    positive_int,
    problem_fields,
)
from generation.sampling.console import ConsoleReporter
from generation.sampling.options import ProblemOptions, SampleOptions
from generation.sampling.run import sample, workload
from generation.sampling.sampler import Sample, SamplingPlan
from generation.strategies import load_presets, parse_strategies

_SHARES_DRAWN = (0.75, 0.5, 0.25)

_MOST_BLOCKS = 20
"""Blocks of problems in which the routers are watched; more would leave the engine with small batches."""


@dataclass(frozen=True, kw_only=True)
class ProbabilitiesOptions(ProblemOptions, EngineOptions):
    """Whose routers are watched, and on which responses.

    Attributes:
        strategy: How the responses are sampled.
        max_tokens: The longest response.
        k_keep: The head to mark in the figure.
        seed: What all seeds derive from.
        out: The folder of the tables and the figure.
    """

    strategy: str = "token-normal"
    max_tokens: int = 512
    k_keep: str = "k//2+1"
    seed: int = 0
    out: Path = Path("results/routing")

    def __post_init__(self) -> None:
        """Check what can be checked without reading a file.

        Raises:
            InputError: a number is below 1, or the responses would come from several engines or from servers.
        """
        ProblemOptions.__post_init__(self)
        EngineOptions.__post_init__(self)
        if self.cpu_replicas or self.base_urls:
            raise InputError("the routers are watched in one engine in this process: leave --cpu-replicas out")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""
    with signals_interrupt():
        args = _parser().parse_args(argv)
        console = Console(stderr=True)
        study = _probabilities if args.study == "probabilities" else _active_experts
        return exit_code(lambda: study(args, console), when_interrupted="interrupted; the same command starts again")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="python -m generation.routing", description="Study a mixture-of-experts model's routing."
    )
    studies = parser.add_subparsers(dest="study", required=True)
    probabilities = studies.add_parser("probabilities", help="mean router probability by rank")
    add_problem_options(probabilities)
    probabilities.add_argument("--model", required=True)
    probabilities.add_argument("--strategy", default="token-normal", help="default %(default)s")
    probabilities.add_argument("--max-tokens", type=positive_int, default=512, metavar="N", help="default %(default)s")
    probabilities.add_argument("--active-experts", type=positive_int, metavar="K")
    probabilities.add_argument("--k-keep", default="k//2+1", help="head to mark in the figure (default %(default)s)")
    probabilities.add_argument("--seed", type=int, default=0)
    probabilities.add_argument(
        "--out", type=Path, default=Path("results/routing"), metavar="DIR", help="default %(default)s"
    )
    add_in_process_options(probabilities)
    study = studies.add_parser(
        "active-experts",
        help="greedy accuracy and pass@n for several numbers of active experts",
    )
    add_problem_options(study)
    study.add_argument("--model", required=True)
    study.add_argument("--active-experts", required=True, type=_numbers, metavar="K,K,...")
    study.add_argument("--strategy", default="token-normal", help="for pass@n (default %(default)s)")
    study.add_argument("--n", type=positive_int, default=32, help="responses for pass@n (default 32)")
    study.add_argument("--seed", type=int, default=0)
    study.add_argument("--out", type=Path, default=Path("results/routing"), metavar="DIR", help="default %(default)s")
    add_sampling_options(study)
    add_in_process_options(study)
    add_server_options(study)
    return parser


# --- mean router probability by rank -----------------------------------------------------------------------


def _probabilities(args: argparse.Namespace, console: Console) -> int:
    options = ProbabilitiesOptions(
        **problem_fields(args),
        model=args.model,
        engine_args=engine_args(args),
        active_experts=args.active_experts,
        cpu_replicas=args.cpu_replicas,
        chat_template=not args.no_chat_template,
        chat_template_kwargs=args.chat_template_kwargs,
        strategy=args.strategy,
        max_tokens=args.max_tokens,
        k_keep=args.k_keep,
        seed=args.seed,
        out=args.out,
    )
    return show_probabilities(options, console)


def show_probabilities(options: ProbabilitiesOptions, console: Console | None = None) -> int:
    """Do what `probabilities` does and print what was found; returns 0."""
    console = console or Console(stderr=True)
    console.print(probabilities(options), markup=False, highlight=False, soft_wrap=True)
    return 0


def probabilities(options: ProbabilitiesOptions) -> str:
    """Watch the routers while one response a problem is sampled; write the tables and the figure.

    Returns:
        What was found and written, in words.

    Raises:
        InputError: an option or a problem is wrong.
        RunError: the engine does not start, or the model's routers cannot be watched.
    """
    head = _head(options)
    problems = options.load_problems()
    plan = SamplingPlan(
        problems,
        parse_strategies([options.strategy], load_presets()),
        1,
        options.seed,
        options.max_tokens,
        formats_for(problems, options.prompt_formats),
    )
    profile = run_interruptible(_profile(_watched_engine(options, plan), plan))
    try:
        k_keep = head.kept(profile.active_experts)
    except ValueError as error:
        raise InputError(f"--k-keep: {error}") from error
    options.out.mkdir(parents=True, exist_ok=True)
    paths = write_profile(profile, options.out, k_keep=k_keep, model=Path(options.model).name)
    head, active = profile.mean[:k_keep].sum(), profile.mean[: profile.active_experts].sum()
    return (
        f"{len(profile.layers)} layers, {profile.n_tokens:,} tokens, {len(profile.mean)} experts: the first "
        f"{k_keep} hold {head:.1%} of the probability, the active {profile.active_experts} {active:.1%}\n"
        + _untaken(profile)
        + "\n".join(map(str, paths))
    )


def _untaken(profile: RoutingProfile) -> str:
    """Which `fragile_from` would draw how many tokens, in words."""
    if not len(profile.untaken):
        return ""
    shares = profile.fragile_shares().mean(axis=0)
    found = [f"{np.flatnonzero(shares >= wanted)[-1] / BINS:.3g} draws {wanted:.0%}" for wanted in _SHARES_DRAWN]
    return f"of these tokens, expert-sample-fragile at fragile_from {', '.join(found)}\n"


def _head(options: ProbabilitiesOptions) -> ExpertSampleSettings:
    """The head to mark, read before an engine is started for it."""
    try:
        return ExpertSampleSettings(k_keep=options.k_keep)
    except ValueError as error:
        raise InputError(f"--k-keep: {error}") from error


def _watched_engine(options: ProbabilitiesOptions, plan: SamplingPlan) -> InProcessEngine:
    # Eager: a compiled graph would have traced the routers before they are watched.
    watched = {"worker_extension_cls": EXTENSION, "enforce_eager": True}
    return InProcessEngine(
        VLLMOptions(
            str(options.model),
            dict(options.engine_args) | watched,
            options.active_experts,
            options.chat_template,
            options.chat_template_kwargs,
            workload=workload(plan, math.ceil(len(plan.problems) / _MOST_BLOCKS)),
            log=options.out / "engine.log",
        )
    )


async def _profile(engine: InProcessEngine, plan: SamplingPlan) -> RoutingProfile:
    try:
        await engine.start()
        for reason in await engine.call_workers("start_routing_probe"):
            if reason is not None:
                raise RunError(f"the routing of this model can't be studied: {reason}")
        readings = []
        for block in _blocks(list(plan.samples())):
            await asyncio.gather(*(_generate(engine, plan, sample) for sample in block))
            readings.append(await engine.call_workers("read_routing_probe"))
        return RoutingProfile.from_workers(*readings)
    except ValueError as error:
        raise RunError(f"the routing of this model can't be studied: {error}") from error
    finally:
        await engine.close()


def _blocks(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """The samples, one a problem, in pieces of equal size: what differs between pieces tells how sure the mean is."""
    size = math.ceil(len(samples) / _MOST_BLOCKS)
    return [samples[start : start + size] for start in range(0, len(samples), size)]


async def _generate(engine: Engine, plan: SamplingPlan, sample: Sample) -> None:
    try:
        await engine.generate(plan.request(sample))
    except SampleFailedError as error:
        raise RunError(str(error)) from error


# --- other numbers of active experts -----------------------------------------------------------------------


def _active_experts(args: argparse.Namespace, console: Console) -> int:
    common = SampleOptions(
        strategies=("greedy", args.strategy), n=args.n, seed=args.seed, out=args.out, **common_options(args)
    )
    args.out.mkdir(parents=True, exist_ok=True)
    points: list[ActiveExpertsPoint] = []
    for number in args.active_experts:
        out = args.out / f"active_{number}.jsonl"
        reporter = ConsoleReporter(console)
        reporter.ends(sample(replace(common, active_experts=number, out=out), reporter))
        points += active_experts_points(number, read_responses(out).groups, strategy=args.strategy)
    if not points:
        raise InputError(f"{args.problems}: no problem has a reference answer, so nothing can be graded")
    written = write_active_experts(points, args.out, model=Path(args.model).name)
    console.print("\n".join(map(str, written)), markup=False, highlight=False, soft_wrap=True)
    return 0


def active_experts_points(
    number: int, groups: Sequence[Group], *, strategy: str, confidence: float = 0.95
) -> list[ActiveExpertsPoint]:
    """Greedy accuracy and the pass@n curve of one number of active experts, with intervals over problems."""
    curves = {
        "greedy_accuracy": [pass_curve(group, (1,)) for group in groups if group.strategy == "greedy"],
        "pass_at_k": [
            pass_curve(group, curve_sizes(group.n_responses)) for group in groups if group.strategy == strategy
        ],
    }
    points = []
    for metric, outcomes in curves.items():
        found = [outcome for curve in outcomes for outcome in curve if isinstance(outcome, Outcome)]
        for k in sorted({outcome.k for outcome in found}):
            values = [outcome.value for outcome in found if outcome.k == k]
            estimate = strategy_estimate(values, confidence=confidence)
            points.append(
                ActiveExpertsPoint(number, metric, k, estimate.value, estimate.low, estimate.high, len(values))
            )
    return points


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(positive_int(part) for part in text.split(","))
    if len(set(numbers)) != len(numbers):
        raise argparse.ArgumentTypeError(f"a number occurs twice in {text!r}")
    return numbers
