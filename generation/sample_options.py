"""Command-line options that the generation commands share, and what they become."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from generation.benchmarks import BENCHMARKS, load_benchmark
from generation.engines import Engine
from generation.problems import Problem, read_problems
from generation.strategies import Strategy

_PARALLEL = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "distributed_executor_backend",
)


def positive_int(text: str) -> int:
    """For argparse: a whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


def add_problem_options(parser: argparse.ArgumentParser) -> None:
    """What to sample responses for, and how it is asked."""
    known = "; ".join(f"{benchmark.name}: {benchmark.about}" for benchmark in BENCHMARKS.values())
    group = parser.add_argument_group("problems")
    group.add_argument(
        "problems",
        metavar="PROBLEMS",
        help="a .jsonl or .csv file (problem_id, problem, and optionally answer, choices, meta), or the name "
        f"of a benchmark ({known})",
    )
    group.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="read benchmarks from DIR/<owner>/<dataset> in place of the hub",
    )
    group.add_argument("--limit", type=positive_int, metavar="N", help="only the first N problems")
    group.add_argument(
        "--prompt-format",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="another wording of the question (repeat for several kinds of problems)",
    )
    group.add_argument("--no-chat-template", action="store_true", help="send plain text (base models)")
    group.add_argument(
        "--chat-template-kwargs",
        type=_json_object,
        default={},
        metavar="JSON",
        help="options of the chat template, e.g. '{\"enable_thinking\": false}'",
    )


def load_problems(args: argparse.Namespace) -> tuple[Problem, ...]:
    """The problems that the options name.

    Raises:
        InputError: there is neither such a file nor such a benchmark, or its content is wrong.
    """
    if args.problems in BENCHMARKS:
        problems = load_benchmark(args.problems, data_dir=args.data_dir)
    elif not Path(args.problems).exists():
        raise InputError(
            f"{args.problems}: neither a file nor a benchmark (benchmarks: {', '.join(sorted(BENCHMARKS))})"
        )
    else:
        problems = read_problems(Path(args.problems))
    return problems[: args.limit]


def add_in_process_options(parser: argparse.ArgumentParser) -> None:
    """How vLLM is started in this process."""
    group = parser.add_argument_group("vLLM in this process")
    for name in ("tensor", "pipeline", "data"):
        group.add_argument(f"--{name}-parallel-size", type=positive_int, metavar="N")
    group.add_argument("--distributed-executor-backend", choices=("mp", "ray"))
    group.add_argument(
        "--cpu-replicas",
        type=positive_int,
        metavar="N",
        help="for small models on a CPU: N copies side by side, each with all of vLLM in one process on one core",
    )
    group.add_argument("--dtype", help="auto, bfloat16, float32, ...")
    group.add_argument("--max-model-len", type=positive_int, metavar="TOKENS")
    group.add_argument("--gpu-memory-utilization", type=float, metavar="SHARE")
    group.add_argument("--enforce-eager", action="store_true", default=None)
    group.add_argument("--trust-remote-code", action="store_true", default=None)
    group.add_argument(
        "--engine-arg",
        type=_key_and_json,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other argument of vLLM's EngineArgs; the value is JSON or plain text",
    )


def engine_args(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments for vLLM's `EngineArgs` that the options name; what is left open is vLLM's default."""
    names = (
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "data_parallel_size",
        "distributed_executor_backend",
        "dtype",
        "max_model_len",
        "gpu_memory_utilization",
        "enforce_eager",
        "trust_remote_code",
    )
    named = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return named | dict(args.engine_arg)


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """How servers are reached."""
    group = parser.add_argument_group("OpenAI-compatible servers, in place of vLLM in this process")
    group.add_argument(
        "--base-url",
        action="append",
        default=[],
        metavar="URL",
        help="such as http://localhost:8000/v1; repeat for several servers of the same model",
    )
    group.add_argument("--api-key-env", metavar="VARIABLE", help="the environment variable that holds the key")
    group.add_argument(
        "--deadline",
        type=float,
        default=7200.0,
        metavar="SECONDS",
        help="for one response (default %(default)g)",
    )
    group.add_argument("--attempts", type=positive_int, default=6, help="for one response (default %(default)s)")


def make_engine(args: argparse.Namespace, strategies: Sequence[Strategy]) -> Engine:
    """The engine that the options name, for these strategies.

    Raises:
        InputError: options that contradict each other.
        RunError: a strategy needs a plugin that is not installed.
    """
    if args.base_url:
        from generation.engines.servers import ServerOptions, ServersEngine

        given = sorted(engine_args(args)) + [n for n in ("active_experts", "cpu_replicas") if getattr(args, n)]
        if given:
            raise InputError(
                f"--{given[0].replace('_', '-')} is for vLLM in this process; with --base-url give it to the server"
            )
        return ServersEngine(
            ServerOptions(
                base_urls=tuple(args.base_url),
                model=args.model,
                api_key_env=args.api_key_env,
                chat_template=not args.no_chat_template,
                chat_template_kwargs=args.chat_template_kwargs,
                deadline=args.deadline,
                attempts=args.attempts,
            )
        )
    from generation.engines.in_process import InProcessEngine
    from generation.engines.replicas import ReplicasEngine
    from generation.engines.vllm_options import VLLMOptions, require_plugins

    require_plugins(strategies)
    parallel = next((name for name in _PARALLEL if engine_args(args).get(name)), None)
    if args.cpu_replicas and parallel:
        raise InputError(f"--cpu-replicas runs each copy in one process: no --{parallel.replace('_', '-')} beside it")
    speculative = {"speculative_config", "spec_method", "spec_model"} & set(engine_args(args))
    if speculative and any(strategy.edt is not None for strategy in strategies):
        raise InputError("edt cannot be combined with speculative decoding: vLLM loads no logits processors then")
    options = VLLMOptions(
        model=args.model,
        engine_args=engine_args(args),
        active_experts=args.active_experts,
        chat_template=not args.no_chat_template,
        chat_template_kwargs=args.chat_template_kwargs,
        expert_sample=any(strategy.expert_sample is not None for strategy in strategies),
    )
    return ReplicasEngine(options, args.cpu_replicas) if args.cpu_replicas else InProcessEngine(options)


def split_repeated(values: Sequence[str] | None, default: str) -> list[str]:
    """The values of a repeatable option, or the default if there are none."""
    return list(values) if values else [default]


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value


def _key_and_json(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key.replace("-", "_"), json.loads(value)
    except ValueError:
        return key.replace("-", "_"), value
