"""The command line of the generation commands, and the typed options that it becomes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diversity_judge.command_line import CommandParser
from generation.benchmarks import BENCHMARKS
from generation.sampling.options import SampleOptions
from generation.strategies import load_presets


@dataclass(frozen=True)
class SampleCommand:
    """What the command line asks for.

    Attributes:
        options: Makes the options, which can raise an InputError.
        out: The responses file.
        dry_run: Whether to say only what it would take.
    """

    options: Callable[[], SampleOptions]
    out: Path
    dry_run: bool


def parse_arguments(argv: Sequence[str] | None) -> SampleCommand:
    """Read the command line of `generation.sample`; ends the program where it is wrong."""
    parser = CommandParser(
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
    group.add_argument("--n", type=positive_int, default=32, help="responses a problem and strategy (default 32)")
    group.add_argument("--seed", type=int, help="makes the run repeat (default: a fresh one, which is recorded)")
    group.add_argument("--active-experts", type=positive_int, metavar="K", help="experts a token")
    group.add_argument("--out", type=Path, default=Path("responses.jsonl"), metavar="FILE", help="default %(default)s")
    group.add_argument("--dry-run", action="store_true", help="say how many requests and tokens, sample nothing")
    add_sampling_options(parser)
    add_in_process_options(parser)
    add_server_options(parser)
    args = parser.parse_args(argv)

    def options() -> SampleOptions:
        return SampleOptions(
            strategies=tuple(args.strategy or ("token-normal",)),
            n=args.n,
            seed=args.seed,
            out=args.out,
            active_experts=args.active_experts,
            **common_options(args),
        )

    return SampleCommand(options, args.out, args.dry_run)


def common_options(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of `SampleOptions` that `add_*_options` read, for a command that chooses the others itself."""
    return {
        **problem_fields(args),
        "model": args.model,
        "engine_args": engine_args(args),
        "cpu_replicas": args.cpu_replicas,
        "chat_template": not args.no_chat_template,
        "chat_template_kwargs": args.chat_template_kwargs,
        "base_urls": tuple(args.base_url),
        "api_key_env": args.api_key_env,
        "deadline": args.deadline,
        "max_attempts": args.max_attempts,
        "strategies_file": args.strategies_file,
        "max_tokens": args.max_tokens,
        "concurrency": args.concurrency,
        "repeatable": args.repeatable,
    }


def problem_fields(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of `ProblemOptions` that `add_problem_options` reads."""
    return {
        "problems": args.problems,
        "data_dir": args.data_dir,
        "limit": args.limit,
        "prompt_formats": tuple(args.prompt_format),
    }


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """How responses are sampled, whichever they are."""
    group = parser.add_argument_group("how responses are sampled")
    group.add_argument("--strategies-file", type=Path, metavar="TOML", help="presets of your own")
    group.add_argument("--max-tokens", type=positive_int, metavar="N", help="default: the model's context")
    group.add_argument(
        "--concurrency", type=positive_int, default=256, metavar="N", help="in flight at once (default 256)"
    )
    group.add_argument(
        "--repeatable",
        action="store_true",
        help="start requests in fixed rounds of --concurrency, so that a rerun repeats to the bit on the same machine "
        "(vLLM in this process, one data-parallel rank; slower where lengths differ)",
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
    group.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the key")
    group.add_argument(
        "--deadline",
        type=float,
        default=7200.0,
        metavar="S",
        help="seconds for one response (default %(default)g)",
    )
    group.add_argument(
        "--max-attempts", type=positive_int, default=6, metavar="N", help="for one response (default %(default)s)"
    )
    # Its earlier name; `score` had the other one for the same thing.
    group.add_argument(
        "--attempts",
        dest="max_attempts",
        type=positive_int,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )


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
