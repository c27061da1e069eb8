"""The command line of the grid."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diversity_judge.command_line import CommandParser
from examples.miniature.law.plan import FULL, QUICK, TASKS, Part, Size


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Attributes:
        out: The folder of the grid.
        routers: Where models are that are not shipped, or are put once they are trained.
        size: How large the whole grid is.
        parts: Those that are to be done.
    """

    out: Path
    routers: Path
    size: Size
    parts: tuple[Part, ...]


def parse(argv: Sequence[str] | None) -> Options:
    """Read the command line; a fault ends the process with code 2."""
    parser = _parser()
    args = parser.parse_args(argv)
    size = QUICK if args.quick else FULL
    if args.temperatures:
        size = size.with_temperatures(args.temperatures)
    if args.problems:
        size = size.with_problems(args.problems)
    unknown = sorted(set(args.only or ()) - {part.name for part in size.parts})
    if unknown:
        known = ", ".join(part.name for part in size.parts)
        parser.error(f"argument --only: there is no part {unknown[0]!r}; there are {known}")
    parts = [part for part in size.parts if part.task.name in args.tasks and (not args.only or part.name in args.only)]
    if not parts:
        parser.error("nothing is left: --only names no part of --tasks")
    out = args.out or Path("results/miniature-law-quick" if args.quick else "results/miniature-law")
    return Options(out, args.routers or out / "routers", size, tuple(parts))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="python -m examples.miniature.law",
        description="When does Expert-Sample help? The grid beyond make miniature, and the law fitted to it. "
        "Killed at any time, the same command goes on; further cells are added to what is there.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="default results/miniature-law, with --quick results/miniature-law-quick",
    )
    parser.add_argument(
        "--routers",
        type=Path,
        metavar="DIR",
        help="models by name, before shipped ones; a missing one is trained there",
    )
    parser.add_argument("--quick", action="store_true", help="a few problems, shipped models: to see that it works")
    parser.add_argument(
        "--tasks", type=_tasks, default=tuple(TASKS), metavar="NAME,...", help=f"default {','.join(TASKS)}"
    )
    parser.add_argument("--only", type=_names, metavar="ROUTER/TASK,...", help="only these parts, as flat/four")
    parser.add_argument("--temperatures", type=_temperatures, metavar="T,...", help="in place of each task's own")
    parser.add_argument("--problems", type=_at_least_one, metavar="N", help="in place of each task's own number")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _tasks(text: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        if name not in TASKS:
            raise argparse.ArgumentTypeError(f"no task is called {name!r}; there are {', '.join(TASKS)}")
    return names


def _temperatures(text: str) -> tuple[float, ...]:
    try:
        values = tuple(dict.fromkeys(float(value) for value in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"not numbers with commas: {text!r}") from None
    if not all(0 < value <= 10 for value in values):
        raise argparse.ArgumentTypeError("a temperature is above 0 and at most 10; greedy is sampled anyway")
    return values


def _at_least_one(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"not a whole number from 1 on: {text!r}")
    return value
