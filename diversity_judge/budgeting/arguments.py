"""The command line of `plan`: from words to one `PlanCommand`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diversity_judge import __version__
from diversity_judge.choices import LEVELS, USUAL_RESPONSE_TOKENS
from diversity_judge.command_line import CommandParser
from diversity_judge.scoring.arguments import add_judge, add_selection

if TYPE_CHECKING:
    from diversity_judge.budgeting.options import PlanOptions

_EPILOG = """\
exit codes: 0 done; 2 bad usage or input; 130 interrupted.
"""


@dataclass(frozen=True)
class PlanCommand:
    """What the command is asked to do.

    Attributes:
        options: What is planned.
        as_json: Print JSON and nothing else.
    """

    options: PlanOptions
    as_json: bool


def parse_arguments(argv: Sequence[str] | None = None) -> PlanCommand:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = vars(parser().parse_args(argv))
    from diversity_judge.budgeting.keywords import make_plan_options

    as_json = values.pop("json", False)
    responses = values.pop("responses", None) or None
    return PlanCommand(make_plan_options(responses, values), as_json)


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m diversity_judge.plan",
        description="How many pairs, problems and responses a study needs, what they cost, and what they will show. "
        "Widths and differences are in units of diversity (0..1). Nothing is sent and nothing is written.",
        epilog=_EPILOG,
        argument_default=argparse.SUPPRESS,  # What is not given has the default of `make_plan_options`.
    )
    found.add_argument(
        "responses", nargs="*", type=Path, help="files of responses (see the README), - for standard input"
    )
    found.add_argument("--version", action="version", version=__version__)
    found.add_argument("--json", action="store_true", help="print the choices as JSON and nothing else")
    _add_counts(found.add_argument_group("counts, where there are no responses yet"))
    _add_aim(found.add_argument_group("what the study is for"))
    add_selection(found.add_argument_group("what would be compared"))
    add_judge(found.add_argument_group("the judge, who is not asked"))
    return found


def _add_counts(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--problems", type=int, metavar="N", help="problems")
    group.add_argument("--responses", dest="n_responses", type=int, metavar="N", help="responses to a problem")
    group.add_argument("--strategies", dest="n_strategies", type=int, metavar="N", help="strategies (default: 1)")
    group.add_argument("--tokens", type=int, metavar="N", help=f"of a response (default: {USUAL_RESPONSE_TOKENS:,})")


def _add_aim(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--for", dest="for_", choices=LEVELS, help="whose interval (default: difference, if there is one)"
    )
    aim = group.add_mutually_exclusive_group()
    aim.add_argument("--target-width", type=float, metavar="W", help="that the 95 %% interval is to have")
    aim.add_argument(
        "--detect", type=float, metavar="D", help="a true difference to be confirmed with a power of 80 %%"
    )
    aim.add_argument("--budget", type=float, metavar="USD", help="that may be spent")
    group.add_argument(
        "--pilot", type=Path, metavar="RUN", help="a run whose variances are taken (default: assumed ones)"
    )
    group.add_argument("--correct-only", action="store_true", help="diversity among correct responses")
    group.add_argument("--complete-only", action="store_true", help="diversity among responses that were not cut")
    group.add_argument(
        "--surrogate-r2", type=float, metavar="R2", help="share of the scores' variance that a surrogate explains"
    )
    group.add_argument(
        "--comparisons", type=int, metavar="N", help="made at once (default: each strategy with a baseline)"
    )
