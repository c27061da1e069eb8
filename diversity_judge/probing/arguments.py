"""The command line of `reliability`: from words to a run folder and one `ReliabilityOptions`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diversity_judge import __version__
from diversity_judge.command_line import CommandParser
from diversity_judge.probing.names import PROBES
from diversity_judge.probing.options import FOLDER, ReliabilityOptions

_DEFAULTS = ReliabilityOptions()
_EPILOG = """\
exit codes: 0 all that the probes need was answered; 1 the run failed; 2 bad usage or input, nothing was sent;
3 ended with answers missing; 130 interrupted. To resume, run the same command again: what was bought is in the
run's ledger.
"""


@dataclass(frozen=True)
class ReliabilityCommand:
    """What the command is asked to do.

    Attributes:
        run: The run folder.
        options: How it is probed, and where the outputs go.
    """

    run: Path
    options: ReliabilityOptions


def parse_arguments(argv: Sequence[str] | None = None) -> ReliabilityCommand:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = vars(parser().parse_args(argv))
    run: Path = values.pop("run")
    probes = values.pop("probes", None)
    if probes is not None:
        values["probes"] = [name for text in probes for name in text.replace(",", " ").split()]
    return ReliabilityCommand(run, ReliabilityOptions(**{"out": run / FOLDER, **values}))


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m diversity_judge.reliability",
        description="Can the judge of a run be believed? Asks it again: the same pairs, turned round, and with a known "
        "answer.",
        epilog=_EPILOG,
        argument_default=argparse.SUPPRESS,  # What is not given has the default of `ReliabilityOptions`.
    )
    found.add_argument("run", type=Path, metavar="RUN", help="run folder of score")
    found.add_argument("--version", action="version", version=__version__)
    asked = found.add_argument_group("what is asked")
    asked.add_argument("--pairs", type=int, metavar="N", help=f"pairs that are drawn (default: {_DEFAULTS.pairs})")
    asked.add_argument("--draws", type=int, metavar="K", help=f"of each pair (default: {_DEFAULTS.draws})")
    asked.add_argument(
        "--probes", nargs="+", metavar="LIST", help=f"these only: {', '.join(PROBES)}; control means all controls"
    )
    asked.add_argument("--labels", type=Path, metavar="FILE", help="labels of people, for the probe strategy")
    asked.add_argument("--seed", type=int, help=f"of the choice of pairs (default: {_DEFAULTS.seed})")
    judge = found.add_argument_group("the judge, as far as it is not the run's")
    judge.add_argument("--judges-file", type=Path, metavar="TOML", help="presets of your own")
    judge.add_argument("--base-url", metavar="URL", help="its endpoint")
    judge.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the key")
    judge.add_argument("--max-tokens", type=int, metavar="N", help="limit of a reply, reasoning included")
    _add_budget(found.add_argument_group("cost and speed"))
    outputs = found.add_argument_group("outputs")
    outputs.add_argument("--out", type=Path, metavar="DIR", help=f"default: RUN/{FOLDER}")
    outputs.add_argument("--ledger", type=Path, metavar="FILE", help="the run's ledger, where it was moved")
    outputs.add_argument("--offline", action="store_true", help="use what the ledger has, without a call")
    outputs.add_argument("--no-figures", dest="figures", action="store_false", help="draw nothing")
    outputs.add_argument("--no-report", dest="report", action="store_false", help="write no reliability.html")
    outputs.add_argument(
        "--write-anchors", type=Path, metavar="FILE", help="write some of the pairs, for score --anchors"
    )
    outputs.add_argument("--quiet", action="store_true", help="print errors only")
    return found


def _add_budget(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dry-run", action="store_true", help="show calls, tokens and cost; send nothing")
    group.add_argument("--max-calls", type=int, metavar="N", help="stop cleanly after N calls")
    group.add_argument("--max-cost", type=float, metavar="USD", help="stop cleanly at this cost")
    group.add_argument("--yes", action="store_true", help="spend what the bill says, without being asked")
    group.add_argument("--concurrency", type=int, metavar="N", help=f"default: {_DEFAULTS.concurrency}")
    group.add_argument(
        "--deadline", type=float, metavar="S", help=f"total time of a call (default: {_DEFAULTS.deadline:g} s)"
    )
    group.add_argument("--max-attempts", type=int, metavar="N", help=f"default: {_DEFAULTS.max_attempts}")
    group.add_argument(
        "--retry-wait", type=float, metavar="S",
        help=f"first wait before asking again (default: {_DEFAULTS.retry_wait:g} s)",
    )  # fmt: skip
