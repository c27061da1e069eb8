"""The command line of `agree`: from words to one `AgreeCommand`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diversity_judge import __version__

_EPILOG = """\
exit codes: 0 done; 1 the outputs could not be written; 2 bad usage or input; 130 interrupted.
"""


@dataclass(frozen=True)
class AgreeCommand:
    """What the command is asked to do.

    Attributes:
        tested: Run folder of the judge under test.
        reference: Run folder of the judge that is taken for the truth.
        out: Where to.
        quiet: Print errors only.
    """

    tested: Path
    reference: Path
    out: Path
    quiet: bool = False


def parse_arguments(argv: Sequence[str] | None = None) -> AgreeCommand:
    """Read the command line (None: of this process).

    Raises:
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = _parser().parse_args(argv)
    return AgreeCommand(values.tested, values.reference, values.out, values.quiet)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m diversity_judge.agree",
        description="Does a judge give the scores, and the diversity, that a reference gives to the same responses?",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tested", type=Path, metavar="RUN_A", help="run folder of the judge under test")
    parser.add_argument("reference", type=Path, metavar="RUN_B", help="run folder of the reference ('truth')")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--out", type=Path, default=Path("results/agree"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    return parser
