"""The command line of `agree`: from words to one `AgreeCommand`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diversity_judge import __version__
from diversity_judge.choices import DEFAULT_EPSILON
from diversity_judge.command_line import CommandParser
from diversity_judge.errors import InputError

_EPILOG = """\
exit codes: 0 done; 1 the outputs could not be written; 2 bad usage or input; 130 interrupted.
"""


@dataclass(frozen=True)
class AgreeCommand:
    """What the command is asked to do.

    Attributes:
        tested: Run folder of the judge under test.
        reference: Run folder of the judge that is taken for the truth; None: people's labels are.
        out: Where to.
        quiet: Print errors only.
        labels: File of labels; None: another run is the reference.
        skip_unknown: Leave labels of pairs that are not in the run out, instead of refusing them.
        epsilon: Of the alternative annotator test.
    """

    tested: Path
    reference: Path | None
    out: Path
    quiet: bool = False
    labels: Path | None = None
    skip_unknown: bool = False
    epsilon: float = DEFAULT_EPSILON

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            InputError: there is no reference or there are two, or epsilon is no share.
        """
        if (self.reference is None) == (self.labels is None):
            raise InputError("name one reference: a second run folder, or a file of labels with --labels")
        if not 0 <= self.epsilon < 1:
            raise InputError(f"--epsilon is a share from 0 to below 1, not {self.epsilon:g}")


def parse_arguments(argv: Sequence[str] | None = None) -> AgreeCommand:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = parser().parse_args(argv)
    return AgreeCommand(**vars(values))


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m diversity_judge.agree",
        description="Does a judge give the scores, and the diversity, that a reference gives to the same responses? "
        "The reference is another judge or people.",
        epilog=_EPILOG,
    )
    found.add_argument("tested", type=Path, metavar="RUN_A", help="run folder of the judge under test")
    found.add_argument("reference", type=Path, metavar="RUN_B", nargs="?", help="run folder of the reference ('truth')")
    found.add_argument(
        "--labels", type=Path, metavar="FILE", help="labels of people as the reference, instead of RUN_B"
    )
    found.add_argument(
        "--skip-unknown", action="store_true", help="leave labels of pairs that are not in the run out (else: an error)"
    )
    found.add_argument(
        "--epsilon",
        type=float,
        default=DEFAULT_EPSILON,
        metavar="SHARE",
        help="alt-test: how much more often a person may win (default: %(default)s, for experts)",
    )
    found.add_argument("--version", action="version", version=__version__)
    found.add_argument("--out", type=Path, default=Path("results/agree"), metavar="DIR", help="default: %(default)s")
    found.add_argument("--quiet", action="store_true", help="print errors only")
    return found
