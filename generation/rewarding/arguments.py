"""The command line of `generation.reward`, and the typed options that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diversity_judge.choices import VIEWS
from diversity_judge.command_line import CommandParser
from diversity_judge.measures.step_rewards import AGGREGATES
from generation.rewarding.options import DEFAULT_AGGREGATE, DEFAULT_VIEW, RewardOptions, default_out
from generation.rewarding.recipes import load_recipes
from generation.sampling.arguments import add_in_process_options, add_server_options, engine_args, positive_int


@dataclass(frozen=True)
class RewardCommand:
    """What the command line asks for.

    Attributes:
        options: Makes the options, which can raise an InputError.
        responses: The responses file.
        out: The file with their rewards.
        aggregate: What of the steps is a reward.
        dry_run: Whether to say only what it would take.
        reaggregate: Whether rewards are made of the steps' scores that are there.
    """

    options: Callable[[], RewardOptions]
    responses: Path
    out: Path
    aggregate: str
    dry_run: bool
    reaggregate: bool


def parse_arguments(argv: Sequence[str] | None) -> RewardCommand:
    """Read the command line; ends the program where it is wrong."""
    parser = CommandParser(
        prog="python -m generation.reward",
        description="Score responses by a reward model; the same command again resumes.",
    )
    group = parser.add_argument_group("scoring")
    group.add_argument("responses", type=Path, metavar="RESPONSES", help="a responses.jsonl, graded or not")
    group.add_argument("--model", help="a reward model on the hub, a folder, or the name that the servers serve it by")
    group.add_argument(
        "--out", type=Path, metavar="FILE", help="the responses with their rewards (default NAME.rewarded.jsonl beside)"
    )
    group.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"how the model is shown a response (default: by its name); {', '.join(load_recipes())}",
    )
    group.add_argument("--recipes-file", type=Path, metavar="TOML", help="recipes of your own")
    group.add_argument(
        "--tokenizer", metavar="MODEL", help="whose tokenizer and chat template it has (default: the model's)"
    )
    group.add_argument(
        "--aggregate",
        choices=AGGREGATES,
        default=DEFAULT_AGGREGATE,
        help="what of the steps' scores is the reward (default %(default)s)",
    )
    group.add_argument(
        "--reaggregate",
        action="store_true",
        help="make the rewards anew of the steps' scores that are there; needs no model",
    )
    group.add_argument(
        "--view", choices=VIEWS, default=DEFAULT_VIEW, help="what of a response is scored (default %(default)s)"
    )
    group.add_argument(
        "--problems", type=Path, metavar="FILE", help="the problems, for responses that do not carry their text"
    )
    group.add_argument(
        "--concurrency", type=positive_int, default=256, metavar="N", help="in flight at once (default 256)"
    )
    group.add_argument("--dry-run", action="store_true", help="say how many texts and tokens, score nothing")
    add_in_process_options(parser)
    add_server_options(parser)
    args = parser.parse_args(argv)
    if not (args.model or args.reaggregate):
        parser.error("--model is needed (or --reaggregate, for responses whose steps are scored)")

    def options() -> RewardOptions:
        return RewardOptions(
            model=args.model,
            responses=args.responses,
            out=args.out,
            problems=args.problems,
            recipe=args.recipe,
            recipes_file=args.recipes_file,
            tokenizer=args.tokenizer,
            aggregate=args.aggregate,
            view=args.view,
            concurrency=args.concurrency,
            engine_args=engine_args(args),
            cpu_replicas=args.cpu_replicas,
            base_urls=tuple(args.base_url),
            api_key_env=args.api_key_env,
            deadline=args.deadline,
            max_attempts=args.max_attempts,
        )

    out = args.out or default_out(args.responses)
    return RewardCommand(options, args.responses, out, args.aggregate, args.dry_run, args.reaggregate)
