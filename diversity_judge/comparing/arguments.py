"""The command line of `compare`: from words to one `CompareCommand`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diversity_judge import __version__
from diversity_judge.choices import OTHER_ROUTE, SAME_APPROACH, SMALLEST_INTERESTING
from diversity_judge.command_line import CommandParser
from diversity_judge.errors import InputError
from diversity_judge.rubric import MAX_SCORE
from diversity_judge.text_safety import printable, unsafe_in_a_name

if TYPE_CHECKING:
    from diversity_judge.comparing.result import CompareOptions

_EPILOG = """\
exit codes: 0 done; 1 the comparison could not be written; 2 bad usage or input; 130 interrupted.
"""


@dataclass(frozen=True)
class RunArgument:
    """A run as the user named it: its path, and the name that its strategies get, if any."""

    path: Path
    name: str | None = None


@dataclass(frozen=True)
class CompareCommand:
    """What the command is asked to do.

    Attributes:
        runs: What to compare.
        options: How.
        out: Where to.
        report: Whether to write report.html.
        figures: Whether to draw the figures.
        heatmaps: Whether to draw the heat maps, one figure a problem.
        report_megabytes: The report's largest size; longer texts are cut to fit, and marked.
        quiet: Print errors only.
        verbose: Print the outcomes tier by tier, and all notes.
    """

    runs: tuple[RunArgument, ...]
    options: CompareOptions
    out: Path
    report: bool
    figures: bool
    heatmaps: bool
    report_megabytes: float
    quiet: bool
    verbose: bool = False


def parse_arguments(argv: Sequence[str] | None = None) -> CompareCommand:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = parser().parse_args(argv)
    for option in ("approach_threshold", "route_threshold"):
        if not 0 <= getattr(values, option) <= MAX_SCORE:
            raise InputError(f"--{option.replace('_', '-')} must be within 0..{MAX_SCORE:g}")
    if not values.difference > 0:
        raise InputError("--difference must be above 0")
    from diversity_judge.comparing.group_measures import Thresholds
    from diversity_judge.comparing.result import CompareOptions

    return CompareCommand(
        runs=tuple(_run(text) for text in values.runs),
        options=CompareOptions(
            baseline=values.baseline,
            tier_strategy=values.tier_strategy,
            thresholds=Thresholds(values.approach_threshold, values.route_threshold),
            difference=values.difference,
            allow_mixed=values.allow_mixed,
            complete_only=values.complete_only,
            strategies=None if values.strategies is None else tuple(values.strategies),
            seed=values.seed,
            labels=values.labels,
            reference=values.reference,
            reliability=values.reliability,
        ),
        out=values.out,
        report=values.report,
        figures=values.figures,
        heatmaps=values.figures and values.heatmaps,
        report_megabytes=values.report_megabytes,
        quiet=values.quiet,
        verbose=values.verbose,
    )


def _run(text: str) -> RunArgument:
    """A path, or NAME=PATH; a path that exists is never split."""
    name, equals, path = text.partition("=")
    if not equals or not name or Path(text).exists():
        return RunArgument(Path(text))
    if (at := unsafe_in_a_name(name)) is not None:
        raise InputError(
            f"{printable(text, 60)}: the name holds {printable(name[at])!r}, which no table can show: take it out"
        )
    return RunArgument(Path(path), name)


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m diversity_judge.compare",
        description="Which sampling strategy is more diverse, by how much, how sure is that, and does it pay?",
        epilog=_EPILOG,
    )
    found.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run folders of score, or files of responses (then outcomes only); NAME=RUN renames its strategies",
    )
    found.add_argument("--version", action="version", version=__version__)
    found.add_argument(
        "--strategy",
        dest="strategies",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="compare these strategies only (default: all)",
    )
    found.add_argument("--baseline", metavar="STRATEGY", help="default: token-normal, else the first strategy")
    found.add_argument(
        "--tier-strategy", metavar="STRATEGY", help="grades the problems (default: token-normal, else the baseline)"
    )
    found.add_argument(
        "--approach-threshold",
        type=float,
        default=SAME_APPROACH,
        metavar="S",
        help="responses this similar share an approach (default: %(default)g)",
    )
    found.add_argument(
        "--route-threshold",
        type=float,
        default=OTHER_ROUTE,
        metavar="S",
        help="responses at most this similar went another route (default: %(default)g)",
    )
    found.add_argument(
        "--difference",
        type=float,
        default=SMALLEST_INTERESTING,
        metavar="D",
        help="in diversity, that a study should be able to see (default: %(default)g)",
    )
    found.add_argument("--allow-mixed", action="store_true", help="compare runs of different instruments too")
    found.add_argument(
        "--complete-only",
        action="store_true",
        help="process diversity among responses that were not cut (finish_reason)",
    )
    found.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="correct diversities and differences for the judge by people's labels of a random sample (labels make)",
    )
    found.add_argument(
        "--reference",
        type=Path,
        metavar="RUN2",
        help="the same by the run of a better judge on a random choice of the pairs (score --pairs-per-group)",
    )
    found.add_argument(
        "--reliability",
        metavar="DIR",
        help="folder of reliability, for the judge's noise beside each difference (default: RUN/reliability, if any)",
    )
    found.add_argument("--seed", type=int, default=0, help="of the permutation test and subsets (default: 0)")
    _add_output(found.add_argument_group("outputs"))
    return found


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--out", type=Path, default=Path("results/compare"), metavar="DIR", help="default: %(default)s")
    group.add_argument("--no-report", dest="report", action="store_false", help="write no report.html")
    group.add_argument("--no-figures", dest="figures", action="store_false", help="draw nothing")
    group.add_argument("--no-heatmaps", dest="heatmaps", action="store_false", help="draw no heat maps")
    group.add_argument(
        "--report-megabytes",
        type=float,
        default=11.0,
        metavar="MB",
        help="texts are cut so that report.html is no larger (default: %(default)g)",
    )
    group.add_argument("--quiet", action="store_true", help="print errors only")
    group.add_argument("--verbose", action="store_true", help="print outcomes tier by tier, and all notes")
