"""The command line of `generation.counterfactual`, and the options that it becomes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diversity_judge.command_line import CommandParser
from generation.moe_models.placing import DEVICES, DTYPES
from generation.routing_study.options import CounterfactualOptions
from generation.routing_study.schemes import ABOUT, SCHEMES
from generation.routing_study.trajectories import TrajectoryOptions


def parse_arguments(argv: Sequence[str] | None) -> CounterfactualOptions:
    """Read the command line; ends the program where it is wrong.

    Raises:
        InputError: options that do not go together.
    """
    args = _parser().parse_args(argv)
    trajectories = TrajectoryOptions(
        responses=args.responses,
        correct_only=args.correct_only,
        max_tokens=args.max_tokens,
        prompt_formats=tuple(args.prompt_format),
        chat_template=False if args.no_chat_template else None,
        chat_template_kwargs=args.chat_template_kwargs,
        any_model=args.any_model,
        skip_mismatches=args.skip_mismatches,
    )
    names = ("model", "layer", "alternatives", "tau", "scheme", "k_keep", "r", "seed", "device", "dtype", "batch_size")
    chosen = {name: getattr(args, name) for name in (*names, "boundaries", "replay")}
    return CounterfactualOptions(trajectories=trajectories, out=args.out, **chosen)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="python -m generation.counterfactual",
        description="Compare the routes that a mixture-of-experts model took through its experts with other routes of "
        "equal cost, token by token of right responses; the same command again resumes.",
    )
    parser.add_argument("model", metavar="MODEL", help="a folder or a model on the hub: Qwen3-MoE, OLMoE, GPT-OSS, "
                        "DeepSeek-V2")  # fmt: skip
    parser.add_argument("responses", type=Path, help="a graded responses.jsonl that this model sampled")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    group = parser.add_argument_group("routes")
    group.add_argument("--layer", default="last", metavar="last|L|each", help="default last; layers count from 0")
    group.add_argument("--alternatives", type=_at_least(2), default=32, metavar="M", help="a token (default 32)")
    group.add_argument(
        "--scheme", choices=SCHEMES, default="gumbel", help="; ".join(f"{name}: {ABOUT[name]}" for name in SCHEMES)
    )
    group.add_argument("--tau", type=float, default=1.0, metavar="T", help="temperature of the draws (default 1)")
    group.add_argument("--k-keep", default="k//2+1", help="head of tail and expert-sample (default k//2+1)")
    group.add_argument("--r", default="4k", help="last rank that expert-sample draws (default 4k)")
    group.add_argument("--seed", type=int, default=0, help="of the draws (default 0)")
    group = parser.add_argument_group("responses")
    group.add_argument(
        "--correct-only", action=argparse.BooleanOptionalAction, default=True, help="only responses graded right"
    )
    group.add_argument("--max-tokens", type=_at_least(1), metavar="N", help="analyse at most so many tokens")
    group.add_argument("--any-model", action="store_true", help="also responses that another model sampled")
    group.add_argument(
        "--skip-mismatches", action="store_true", help="leave out what is not tokenised as it was sampled"
    )
    group.add_argument("--prompt-format", action="append", default=[], metavar="FILE", help="a format of your own")
    group.add_argument("--no-chat-template", action="store_true", help="default: as the manifest says")
    group.add_argument("--chat-template-kwargs", type=_json_object, metavar="JSON", help="default: likewise")
    group = parser.add_argument_group("what is made of it")
    group.add_argument(
        "--boundaries", type=_probabilities, default=(0.5, 0.9), metavar="A,B",
        help="a token is fragile where the median of a second set of routes gives it at most A, confident above B "
        "(default 0.5,0.9)",
    )  # fmt: skip
    group.add_argument(
        "--replay", type=_at_least(1), default=0, metavar="N",
        help="write the responses of N fragile tokens a layer anew with the better route, and with a random one",
    )  # fmt: skip
    group = parser.add_argument_group("computing")
    group.add_argument("--device", choices=DEVICES, default="cpu")
    group.add_argument("--dtype", choices=DTYPES, default="auto")
    group.add_argument("--batch-size", type=_at_least(1), metavar="TOKENS", help="tokens at once (default: what fits)")
    return parser


def _at_least(least: int) -> Any:
    def read(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {value}")
        return value

    read.__name__ = "whole number"
    return read


def _probabilities(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value
