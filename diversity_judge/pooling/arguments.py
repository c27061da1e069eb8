"""The command line of `panel`: from words to one `PanelCommand`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diversity_judge import __version__
from diversity_judge.command_line import CommandParser

_EPILOG = """\
exit codes: 0 done; 1 the outputs could not be written; 2 bad usage or input; 130 interrupted.
"""


@dataclass(frozen=True)
class PanelCommand:
    """What the command is asked to do.

    Attributes:
        runs: Run folders of the judges.
        out: The run folder of their mean.
        fewer_judges: Take the mean of those who have a score, instead of leaving a pair out that one judge lacks.
        overwrite: Replace the run of another instrument in the folder.
        heatmaps: Draw the pictures.
        quiet: Print errors only.
    """

    runs: tuple[Path, ...]
    out: Path
    fewer_judges: bool = False
    overwrite: bool = False
    heatmaps: bool = True
    quiet: bool = False


def parse_arguments(argv: Sequence[str] | None = None) -> PanelCommand:
    """Read the command line (None: of this process).

    Raises:
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = vars(parser().parse_args(argv))
    return PanelCommand(**{**values, "runs": tuple(values["runs"])})


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m diversity_judge.panel",
        description="Several judges over the same responses: do they agree, and the mean of their scores as a run.",
        epilog=_EPILOG,
    )
    found.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders of score, two or more")
    found.add_argument("--version", action="version", version=__version__)
    found.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run folder of the mean")
    found.add_argument(
        "--fewer-judges",
        action="store_true",
        help="a pair that one judge lacks gets the mean of the others (else: it is missing)",
    )
    found.add_argument("--overwrite", action="store_true", help="replace a run of another panel or judge")
    found.add_argument("--no-heatmaps", dest="heatmaps", action="store_false", help="draw no pictures")
    found.add_argument("--quiet", action="store_true", help="print errors only")
    return found
