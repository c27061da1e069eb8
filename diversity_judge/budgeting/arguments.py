"""The command line of `plan`: from words to one `PlanCommand`; and from the names of its options to `PlanOptions`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.budgeting.options import USUAL_TOKENS, Counts, PlanOptions
from diversity_judge.choices import LEVELS
from diversity_judge.command import refuse_unknown_options
from diversity_judge.command_line import CommandParser
from diversity_judge.errors import InputError
from diversity_judge.inputs.in_memory import Given
from diversity_judge.scoring.arguments import add_judge, add_selection
from diversity_judge.scoring.keywords import NAMES as SCORE_NAMES
from diversity_judge.scoring.keywords import make_options

_EPILOG = """\
Widths and differences are in units of diversity (0..1). Nothing is sent and nothing is written.
exit codes: 0 done; 2 bad usage or input; 130 interrupted.
"""

_COUNTS = {"problems": "problems", "n_responses": "responses", "n_strategies": "strategies", "tokens": "tokens"}
"""Option to the field of `Counts` that it fills."""
_NAMED = {"for_": "level", "correct_only": "part", "complete_only": "part"}
_OWN = ("target_width", "detect", "budget", "pilot", "surrogate_r2", "comparisons")
_NOT_OF_A_PLAN = {
    "pairs_per_group",
    "draws",
    "all_pairs",
    "out",
    "ledger",
    "offline",
    "dry_run",
    "overwrite",
    "heatmaps",
}
_SHARED = tuple(name for name in SCORE_NAMES if name not in _NOT_OF_A_PLAN)
NAMES = (*_COUNTS, *_NAMED, *_OWN, *_SHARED)
"""Of all options in Python."""
_UNNAMED = "responses.jsonl"
"""What command lines call a file that does not exist yet."""


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
    values = vars(_parser().parse_args(argv))
    as_json = values.pop("json", False)
    responses = values.pop("responses", None) or None
    return PlanCommand(make_plan_options(responses, values), as_json)


def make_plan_options(responses: Given | None, given: Mapping[str, Any]) -> PlanOptions:
    """One value of options.

    Args:
        responses: What would be scored; None where there are only counts.
        given: The options by name; None is the default.

    Raises:
        InputError: there is no such option, or it cannot be meant; or there are both responses and counts, or neither.
    """
    refuse_unknown_options(given, NAMES)
    values = {name: value for name, value in given.items() if value is not None}
    counts = _counts(responses, values)
    parts = [part for part in ("correct", "complete") if values.pop(f"{part}_only", False)]
    if len(parts) > 1:
        raise InputError("--correct-only and --complete-only are two parts of the responses: give one")
    own = {name: values.pop(name) for name in _OWN if name in values}
    if "for_" in values:
        own["level"] = values.pop("for_")
    if parts:
        own["part"] = parts[0]
    return PlanOptions(make_options(_UNNAMED if responses is None else responses, **values), counts, **own)


def _counts(responses: Given | None, values: dict[str, Any]) -> Counts | None:
    found = {field: values.pop(name) for name, field in _COUNTS.items() if name in values}
    if responses is not None:
        if found:
            raise InputError(
                "a study is planned from a file of responses or from counts (--problems ...), not from both"
            )
        return None
    missing = [f"--{field.name}" for field in fields(Counts)[:2] if field.name not in found]
    if missing:
        raise InputError(f"name a file of responses, or say how many there will be: {' and '.join(missing)} is missing")
    return Counts(**found)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="python -m diversity_judge.plan",
        description="How many pairs, problems and responses a study needs, what they cost, and what they will show.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,  # What is not given has the default of `make_plan_options`.
    )
    parser.add_argument(
        "responses", nargs="*", type=Path, help="files of responses (see the README), - for standard input"
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--json", action="store_true", help="print the choices as JSON and nothing else")
    _add_counts(parser.add_argument_group("counts, where there are no responses yet"))
    _add_aim(parser.add_argument_group("what the study is for"))
    add_selection(parser.add_argument_group("what would be compared"))
    add_judge(parser.add_argument_group("the judge, who is not asked"))
    return parser


def _add_counts(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--problems", type=int, metavar="N", help="problems")
    group.add_argument("--responses", dest="n_responses", type=int, metavar="N", help="responses to a problem")
    group.add_argument("--strategies", dest="n_strategies", type=int, metavar="N", help="strategies (default: 1)")
    group.add_argument("--tokens", type=int, metavar="N", help=f"of a response (default: {USUAL_TOKENS:,})")


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
