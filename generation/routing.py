"""`python -m generation.routing`: how a model routes, and what other numbers of experts do to it.

probabilities   mean router probability by rank with intervals over problems, as tables and the two-panel figure; what
                Expert-Sample would change, and the entropy of the next token
active-experts  greedy accuracy and pass@n for several numbers of active experts
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("generation.routing")

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from diversity_judge.command import exit_code
from diversity_judge.command_line import CommandParser
from diversity_judge.errors import InputError
from diversity_judge.inputs.reading import read_responses
from generation.expert_use.active_experts import ActiveExpertsPoint, active_experts_points, write_active_experts
from generation.expert_use.options import ProbabilitiesOptions
from generation.expert_use.result import ProbabilitiesResult
from generation.expert_use.watching import watch
from generation.interrupts import run_interruptible, signals_interrupt
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
from generation.sampling.options import SampleOptions
from generation.sampling.run import sample


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
    probabilities.add_argument(
        "--k-keep", help="head of the draw that is weighed, marked in the figure (default: the strategy's, else k//2+1)"
    )
    probabilities.add_argument("--tau", type=float, metavar="X", help="temperature of that draw (likewise, else 1)")
    probabilities.add_argument("--r", help="last rank that it can choose (likewise, else 4k)")
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


# --- watched routers ---------------------------------------------------------------------------------------


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
        tau=args.tau,
        r=args.r,
        seed=args.seed,
        out=args.out,
    )
    return show_probabilities(options, console)


def show_probabilities(options: ProbabilitiesOptions, console: Console | None = None) -> int:
    """Do what `probabilities` does and print what was found; returns 0."""
    console = console or Console(stderr=True)
    console.print(str(probabilities(options)), markup=False, highlight=False, soft_wrap=True)
    return 0


def probabilities(options: ProbabilitiesOptions) -> ProbabilitiesResult:
    """Watch the routers while one response a problem is sampled; write the tables and the figure.

    Returns:
        What was found and written; as text what the command prints.

    Raises:
        InputError: an option or a problem is wrong.
        RunError: the engine does not start, or the model's routers cannot be watched.
    """
    return ProbabilitiesResult.write(run_interruptible(watch(options)), options)


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


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(positive_int(part) for part in text.split(","))
    if len(set(numbers)) != len(numbers):
        raise argparse.ArgumentTypeError(f"a number occurs twice in {text!r}")
    return numbers
