"""The command line of `labels`: from words to one value of what is to be done."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diversity_judge import __version__
from diversity_judge.command_line import CommandParser
from diversity_judge.errors import InputError

DEFAULT_PAIRS = 60
_EPILOG = """\
exit codes: 0 done; 1 the outputs could not be written; 2 bad usage or input; 130 interrupted.
"""


@dataclass(frozen=True)
class MakeCommand:
    """Make a sheet.

    Attributes:
        run: The run whose pairs are labelled.
        pairs: How many of them.
        controls: Pairs with a known answer among them; None: one in ten.
        seed: Of the draw.
        out: The page; None: in the run folder.
        quiet: Print errors only.
    """

    run: Path
    pairs: int = DEFAULT_PAIRS
    controls: int | None = None
    seed: int = 0
    out: Path | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            InputError: there would be nothing to label, or fewer controls than none.
        """
        if self.pairs < 1:
            raise InputError(f"--pairs must be at least 1, not {self.pairs}")
        if self.controls is not None and self.controls < 0:
            raise InputError(f"--controls must not be negative, not {self.controls}")
        if self.seed < 0:
            raise InputError(f"--seed must not be negative, not {self.seed}")


@dataclass(frozen=True)
class ReadCommand:
    """Read what came back of a sheet.

    Attributes:
        files: The answers, of one or several people.
        key: Of the sheet.
        partial: Take sheets that are not filled to the end.
        out: The label file; None: `labels.csv` beside the key.
        quiet: Print errors only.
    """

    files: tuple[Path, ...]
    key: Path
    partial: bool = False
    out: Path | None = None
    quiet: bool = False


def parse_arguments(argv: Sequence[str] | None = None) -> MakeCommand | ReadCommand:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = parser().parse_args(argv)
    if values.what == "make":
        return MakeCommand(values.run, values.pairs, values.controls, values.seed, values.out, values.quiet)
    return ReadCommand(tuple(values.files), values.key, values.partial, values.out, values.quiet)


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m diversity_judge.labels",
        description="Have people label pairs of a run: a blinded sheet, and what comes back of it.",
        epilog=_EPILOG,
    )
    found.add_argument("--version", action="version", version=__version__)
    parts = found.add_subparsers(dest="what", required=True, metavar="make|read")
    make = parts.add_parser("make", help="write a label sheet, one HTML page, and its key")
    make.add_argument("run", type=Path, metavar="RUN", help="run folder of score")
    make.add_argument("--pairs", type=int, default=DEFAULT_PAIRS, metavar="N", help="default: %(default)s")
    make.add_argument("--controls", type=int, metavar="N", help="pairs with a known answer (default: one in ten)")
    make.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    make.add_argument("--out", type=Path, metavar="FILE", help="the page (default: labels.html in the run folder)")
    make.add_argument("--quiet", action="store_true", help="print errors only")
    read = parts.add_parser("read", help="check what came back, and write one file of labels")
    read.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a CSV that the sheet saved")
    read.add_argument("--key", type=Path, required=True, metavar="FILE", help="the sheet's key")
    read.add_argument("--partial", action="store_true", help="take sheets that are not filled to the end")
    read.add_argument("--out", type=Path, metavar="FILE", help=".csv or .jsonl (default: labels.csv beside the key)")
    read.add_argument("--quiet", action="store_true", help="print errors only")
    return found
