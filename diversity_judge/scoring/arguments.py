"""The command line of `score`: from words to one `ScoreOptions`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversity_judge import __version__
from diversity_judge.choices import (
    CLUSTERS,
    DEFAULT_JUDGE,
    DEFAULT_PROMPT,
    FORMATS,
    HEATMAP_CHOICES,
    JUDGE_INPUTS,
    LEVELS,
    MOST_PAIRS,
    ORDERS,
    VIEWS,
)
from diversity_judge.command_line import CommandParser
from diversity_judge.engine.options import ASK_ABOVE_USD, WHEN, EngineOptions

if TYPE_CHECKING:
    from diversity_judge.scoring.options import ScoreOptions

_EPILOG = """\
exit codes: 0 all wanted pairs scored; 1 the run failed; 2 bad usage or input, nothing was sent;
3 ended with pairs missing; 130 interrupted. To resume, run the same command again.
"""


def parse_arguments(argv: Sequence[str] | None = None) -> ScoreOptions:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = vars(parser().parse_args(argv))
    from diversity_judge.scoring.keywords import make_options
    from diversity_judge.scoring.options import default_folder

    options = make_options(**values)
    # A command leaves its outputs in a folder, whoever judges.
    return options if options.out else replace(options, out=default_folder(options.source))


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m diversity_judge.score",
        description="Process diversity: an LLM judge scores the similarity of the reasoning of each pair of responses.",
        epilog=_EPILOG,
        argument_default=argparse.SUPPRESS,  # What is not given has the default of `make_options`.
    )
    found.add_argument(
        "responses", nargs="+", type=Path, help="files of responses (see the README), - for standard input"
    )
    found.add_argument("--version", action="version", version=__version__)
    add_input(found.add_argument_group("what is compared"))
    _add_stages(found.add_argument_group("two stages, instead of a number of pairs"))
    judge = found.add_argument_group("the judge")
    add_judge(judge)
    judge.add_argument(
        "--anchors",
        type=Path,
        metavar="FILE",
        help="ask this fixed set of pairs first and last: has the judge changed?",
    )
    _add_budget(found.add_argument_group("cost and speed"))
    _add_output(found.add_argument_group("outputs"))
    return found


def add_selection(group: argparse._ArgumentGroup) -> None:
    """What of the input is judged, and in which orders; `plan` asks it too."""
    group.add_argument(
        "--format",
        choices=("auto", *FORMATS),
        metavar="NAME",
        help=f"of the input: {', '.join(FORMATS)} (default: auto)",
    )
    group.add_argument(
        "--strategy",
        dest="strategies",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="score these strategies only (default: all)",
    )
    group.add_argument("--limit", type=int, metavar="N", help="score the first N problems only (default: all)")
    group.add_argument("--view", choices=VIEWS, help="what the judge sees of a response (default: full)")
    group.add_argument("--truncate-tokens", type=int, metavar="N", help="keep head and tail of texts longer than this")
    group.add_argument(
        "--orders",
        choices=ORDERS,
        help="judge each pair once, or in both orders (default: one)",
    )


def add_input(group: argparse._ArgumentGroup) -> None:
    """Which responses and pairs: the same words wherever a run is described."""
    add_selection(group)
    group.add_argument("--pairs-per-group", type=int, metavar="M", help="a balanced choice of M pairs (default: all)")
    group.add_argument(
        "--surrogate",
        metavar="none|proxy|RUN",
        help="sharpen the estimate of --pairs-per-group by cheap scores of all pairs (default: none)",
    )
    group.add_argument(
        "--all-pairs", action="store_true", help=f"judge all pairs of a group also where they are over {MOST_PAIRS:,}"
    )
    group.add_argument("--draws", type=int, metavar="K", help="repeated judgments of each pair (default: 1)")
    group.add_argument("--seed", type=int, help="of the choice of pairs (default: 0)")
    group.add_argument(
        "--judge-duplicates", action="store_true", help="ask about identical texts too (else: 5, no call)"
    )
    group.add_argument(
        "--judge-input",
        choices=JUDGE_INPUTS,
        help="summaries: summarise each response in one call, compare the summaries (default: responses)",
    )
    group.add_argument(
        "--clusters",
        choices=CLUSTERS,
        help="judge: also sort all responses of a group by approach, one call a group (default: matrix, by the scores)",
    )
    group.add_argument(
        "--reference-approaches",
        action="store_true",
        help="ask which approach of its problem's list each response takes, one call a group",
    )


def _add_stages(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--target-width", type=float, metavar="W", help="a pilot, then as many pairs as an interval of this width needs"
    )
    group.add_argument("--for", dest="for_", choices=LEVELS, help="whose interval (default: strategy)")


def add_judge(group: argparse._ArgumentGroup) -> None:
    """Who judges: the same words wherever a judge is named."""
    group.add_argument("--judge", metavar="PRESET", help=f"default: {DEFAULT_JUDGE}")
    group.add_argument("--judges-file", type=Path, metavar="TOML", help="presets of your own")
    group.add_argument(
        "--base-url",
        action="append",
        metavar="URL",
        help="another OpenAI-compatible endpoint; repeated for replicas of it, of which the first names it",
    )
    group.add_argument("--model", help="another model")
    group.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the key")
    group.add_argument("--max-tokens", type=int, metavar="N", help="limit of a reply, reasoning included")
    group.add_argument(
        "--param",
        dest="params",
        action="append",
        type=named_json,
        metavar="NAME=JSON",
        help="a request parameter (repeatable)",
    )
    group.add_argument("--prompt", metavar="NAME|FILE", help=f"default: {DEFAULT_PROMPT}")


def _add_budget(group: argparse._ArgumentGroup) -> None:
    defaults = EngineOptions()
    group.add_argument("--dry-run", action="store_true", help="show pairs, calls, tokens and cost; send nothing")
    group.add_argument("--max-calls", type=int, metavar="N", help="stop cleanly after N calls")
    group.add_argument("--max-cost", type=float, metavar="USD", help="stop cleanly at this cost")
    group.add_argument("--yes", action="store_true", help="spend what the bill says, without being asked")
    group.add_argument(
        "--ask-above", type=float, metavar="USD", help=f"ask before a bill above this (default: {ASK_ABOVE_USD:g})"
    )
    group.add_argument(
        "--when", choices=WHEN, help="cheap: send calls only at the hours at which the host takes less (default: now)"
    )
    group.add_argument("--concurrency", type=int, metavar="N", help=f"default: {defaults.concurrency}")
    group.add_argument(
        "--deadline",
        type=float,
        metavar="S",
        help=f"total time of a call (default: {defaults.deadline_s:g} s)",
    )
    group.add_argument("--max-attempts", type=int, metavar="N", help=f"default: {defaults.max_attempts}")
    group.add_argument(
        "--retry-wait",
        type=float,
        metavar="S",
        help=f"first wait before asking again (default: {defaults.retry_wait_s:g} s)",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: results/<input stem>)")
    group.add_argument(
        "--ledger",
        type=Path,
        metavar="FILE",
        help="a ledger to share between runs (default: the run folder's)",
    )
    group.add_argument("--offline", action="store_true", help="rebuild every output from the ledger, without a call")
    group.add_argument(
        "--overwrite", action="store_true", help="replace a run of another judge, prompt, view, orders ..."
    )
    group.add_argument(
        "--heatmaps",
        choices=HEATMAP_CHOICES,
        help="pictures: one a problem, one a group too, or none (default: of the first problems)",
    )
    group.add_argument("--no-heatmaps", dest="heatmaps", action="store_const", const="none", help="draw no pictures")
    group.add_argument("--quiet", action="store_true", help="print errors only")
    group.add_argument("--verbose", action="store_true", help="print the groups however many they are")


def named_json(text: str) -> tuple[str, Any]:
    """`name=value`; the value is JSON, or text where it is none. `name=null` takes a preset's parameter away."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=JSON")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
