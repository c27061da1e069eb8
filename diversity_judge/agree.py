"""`python -m diversity_judge.agree RUN_A RUN_B`: how well judge A agrees with judge B on the same responses.

load -> match -> statistics -> tables -> figure -> console
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from diversity_judge import __version__
from diversity_judge.agreeing import files
from diversity_judge.agreeing.console import print_agreement
from diversity_judge.agreeing.result import JudgeAgreement, judge_agreement
from diversity_judge.command import exit_code, output_console
from diversity_judge.runs.loading import load_run

_PLAIN_WIDTH = 180
"""Columns of the tables where no terminal says how wide it is."""

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


def run_command(command: AgreeCommand, console: Console) -> JudgeAgreement:
    """What the command does, in order.

    Raises:
        InputError: the runs cannot be held against each other, or one cannot be read.
        RunError: the disk does not take the outputs.
    """
    from diversity_judge.agreeing.figure import save_figure

    found = judge_agreement(load_run(command.tested), load_run(command.reference))
    files.write_tables(command.out, found)
    save_figure(found, command.out / files.FIGURE)
    print_agreement(console, found, [command.out])
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        command = parse_arguments(argv)
        run_command(command, output_console(quiet=command.quiet, plain_width=_PLAIN_WIDTH))
        return 0

    return exit_code(work, when_interrupted="stopped; the same command starts again")


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


if __name__ == "__main__":
    sys.exit(main())
