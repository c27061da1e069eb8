"""`python -m generation.sample`: sample responses to problems by several strategies.

    problems -> plan -> what the file lacks -> engine -> graded lines in responses.jsonl

One start of the engine serves all strategies. The same command again continues a run that was killed.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from diversity_judge import __version__
from diversity_judge.errors import DiversityJudgeError, InputError
from generation.bill import print_bill
from generation.engines import Engine, check_strategies
from generation.grading import Grader
from generation.interrupts import run_interruptible
from generation.problems import Problem, ProblemKind
from generation.progress import sampling_progress
from generation.prompt_formats import formats_for
from generation.response_file import (
    Manifest,
    SampleKey,
    check_resume,
    finished_samples,
    open_response_file,
    read_manifest,
)
from generation.sample_options import (
    add_in_process_options,
    add_problem_options,
    add_server_options,
    engine_args,
    load_problems,
    make_engine,
    positive_int,
    split_repeated,
)
from generation.sampler import Sample, SamplingPlan, SamplingResult, sample_missing
from generation.seeds import fresh_run_seed
from generation.strategies import load_presets, parse_strategies

EXIT_OK, EXIT_MISSING, EXIT_INTERRUPTED = 0, 3, 130

NUMERIC_ENGINE_ARGS = ("dtype", "quantization", "hf_overrides", "revision", "kv_cache_dtype")
"""Engine arguments that change what is sampled; parallelism and memory only change how fast."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract (0, 1, 2, 3, 130)."""
    args = _parser().parse_args(argv)
    console = Console(stderr=True)
    try:
        return run(args, console)
    except DiversityJudgeError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        console.print(f"interrupted; the same command continues {args.out}", markup=False, soft_wrap=True)
        return EXIT_INTERRUPTED


def run(args: argparse.Namespace, console: Console) -> int:
    """The steps of the command."""
    problems = load_problems(args)
    _check_repeatable(args)
    plan = _plan(args, problems)
    manifest = _manifest(args, plan)
    check_resume(args.out, manifest)
    done = finished_samples(args.out) if args.out.exists() else frozenset[SampleKey]()
    missing = plan.missing(done)
    if args.dry_run:
        print_bill(Console(), plan, missing, args.out, model=args.model, base_urls=args.base_url)
        return EXIT_OK
    _say_start(console, plan, missing, args.out)
    if not missing:
        return EXIT_OK
    _check_grading(problems)
    engine = make_engine(args, plan.strategies)
    result = run_interruptible(_sample(args, engine, plan, manifest, console))
    _say_end(console, result, args.out)
    return EXIT_MISSING if result.failures else EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generation.sample",
        description="Sample responses to problems by several strategies; the same command again resumes.",
    )
    add_problem_options(parser)
    group = parser.add_argument_group("sampling")
    group.add_argument(
        "--model", required=True, help="a model on the hub, a folder, or the name that the servers serve it by"
    )
    group.add_argument(
        "--strategy",
        action="append",
        metavar="NAME[:KEY=VALUE,...][,NAME...]",
        help=f"default token-normal; presets: {', '.join(sorted(load_presets()))}; variants such as "
        "expert-sample:tau=1.1,r=5k,k_keep=k//2+2",
    )
    group.add_argument("--strategies-file", type=Path, metavar="TOML", help="presets of your own")
    group.add_argument("--n", type=positive_int, default=32, help="responses a problem and strategy (default 32)")
    group.add_argument("--seed", type=int, help="makes the run repeat (default: a fresh one, which is recorded)")
    group.add_argument("--max-tokens", type=positive_int, metavar="N", help="default: the model's context")
    group.add_argument("--active-experts", type=positive_int, metavar="K", help="experts a token")
    group.add_argument("--out", type=Path, default=Path("responses.jsonl"), help="default %(default)s")
    group.add_argument(
        "--concurrency", type=positive_int, default=256, metavar="N", help="in flight at once (default 256)"
    )
    group.add_argument(
        "--repeatable",
        action="store_true",
        help="start requests in fixed rounds of --concurrency, so that a rerun repeats to the bit on the same machine "
        "(vLLM in this process, one data-parallel rank; slower where lengths differ)",
    )
    group.add_argument("--dry-run", action="store_true", help="say how many requests and tokens, sample nothing")
    add_in_process_options(parser)
    add_server_options(parser)
    return parser


def _plan(args: argparse.Namespace, problems: Sequence[Problem]) -> SamplingPlan:
    return SamplingPlan(
        problems=problems,
        strategies=parse_strategies(split_repeated(args.strategy, "token-normal"), load_presets(args.strategies_file)),
        n=args.n,
        run_seed=_run_seed(args.seed, args.out),
        max_tokens=args.max_tokens,
        formats=formats_for(problems, args.prompt_format),
    )


def _run_seed(asked: int | None, out: Path) -> int:
    """The seed that was asked for, or the one of the run that is resumed, or a fresh one."""
    if asked is not None:
        return asked
    earlier = read_manifest(out)
    recorded = (earlier or {}).get("settings", {}).get("seed")
    return recorded if isinstance(recorded, int) else fresh_run_seed()


def _manifest(args: argparse.Namespace, plan: SamplingPlan) -> Manifest:
    options = engine_args(args)
    settings: dict[str, Any] = {
        "model": args.model,
        "seed": plan.run_seed,
        "max_tokens": plan.max_tokens,
        "max_model_len": options.get("max_model_len"),
        "active_experts": args.active_experts,
        "chat_template": not args.no_chat_template,
        "chat_template_kwargs": args.chat_template_kwargs,
    }
    settings |= {name: options.get(name) for name in NUMERIC_ENGINE_ARGS}
    if args.repeatable:
        settings["rounds_of"] = args.concurrency
    return Manifest(
        settings=settings,
        strategies={strategy.name: strategy.settings() for strategy in plan.strategies},
        problems={problem.problem_id: problem.digest for problem in plan.problems},
        prompts={kind.value: prompt.digest for kind, prompt in plan.formats.items()},
    )


def _check_repeatable(args: argparse.Namespace) -> None:
    if args.repeatable and (args.base_url or (args.data_parallel_size or 1) > 1):
        raise InputError("--repeatable needs one engine in this process: no --base-url and no --data-parallel-size")


def _check_grading(problems: Sequence[Problem]) -> None:
    """Hours of sampling must not end with an ImportError at the first grade."""
    needs = any(problem.kind is ProblemKind.MATH and problem.answer is not None for problem in problems)
    if needs and importlib.util.find_spec("math_verify") is None:
        raise InputError("grading mathematics needs math-verify: pip install 'diversity-judge[generation]'")


async def _sample(
    args: argparse.Namespace, engine: Engine, plan: SamplingPlan, manifest: Manifest, console: Console
) -> SamplingResult:
    # The file first: a second run on it, or a full disk, must not cost an engine start.
    with open_response_file(args.out, manifest, _run_note(args)) as sink, Grader() as grader:
        missing = plan.missing(sink.finished)
        try:
            info = await engine.start()
            await check_strategies(engine, plan.strategies)
            with sampling_progress(console, len(missing)) as on_response:
                return await sample_missing(
                    engine,
                    plan,
                    missing,
                    info=info,
                    sink=sink,
                    grader=grader,
                    concurrency=args.concurrency,
                    on_response=on_response,
                    in_rounds=args.repeatable,
                )
        finally:
            await engine.close()


def _run_note(args: argparse.Namespace) -> Mapping[str, Any]:
    return {
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "version": __version__,
        "host": platform.node(),
        "process": os.getpid(),
        "n": args.n,
        "servers": list(args.base_url),
        "engine_args": engine_args(args),
        "cpu_replicas": args.cpu_replicas,
    }


def _say_start(console: Console, plan: SamplingPlan, missing: Sequence[Sample], out: Path) -> None:
    total = sum(1 for _ in plan.samples())
    lines = [
        f"{len(plan.problems)} problems x {len(plan.strategies)} strategies, {plan.n} samples each: "
        f"{total} responses, {len(missing)} to sample, seed {plan.run_seed}"
    ]
    if len(missing) < total:
        lines.append(f"{total - len(missing)} are in {out} already")
    lines += [f"{s.name} is greedy: one response a problem" for s in plan.strategies if s.is_greedy and plan.n > 1]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _say_end(console: Console, result: SamplingResult, out: Path) -> None:
    lines = [f"{result.written} responses ({result.n_tokens:,} tokens) written to {out}"]
    if result.n_graded:
        lines.append(f"{result.n_correct} of {result.n_graded} graded answers are right")
    if result.n_cut:
        lines.append(f"{result.n_cut} responses were cut off at their longest length (--max-tokens, --max-model-len)")
    for reason, times in result.failures.most_common(5):
        lines.append(f"{times} samples failed: {reason}")
    if result.failures:
        lines.append("the same command tries the failed samples again")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
