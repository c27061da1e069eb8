"""The command line of `batch`: from words to one value for each of its verbs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversity_judge import __version__
from diversity_judge.command_line import CommandParser
from diversity_judge.engine.options import ASK_ABOVE_USD
from diversity_judge.scoring.arguments import add_input, add_judge, named_json

if TYPE_CHECKING:
    from diversity_judge.scoring.options import ScoreOptions

_EPILOG = """\
exit codes: 0 done; 1 a host or a disk refused; 2 bad usage or input, nothing was sent;
3 ended with calls that have no reply (yet); 130 interrupted.
"""


@dataclass(frozen=True)
class ExportCommand:
    """Write the calls that a run needs as files.

    Attributes:
        scoring: What would be scored; its folder is the run's.
    """

    scoring: ScoreOptions
    quiet: bool = False


@dataclass(frozen=True)
class HostCommand:
    """Talk to the host's batch API.

    Attributes:
        verb: `submit`, `fetch` or `cancel`.
        run: The run folder.
        base_url: Of the host, where the record could not keep it.
        yes: Whether the user has agreed to what a submission costs.
    """

    verb: str
    run: Path
    base_url: str | None = None
    yes: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class IngestCommand:
    """Put files of results into the ledger.

    Attributes:
        files: Results, in the form of providers or of vLLM.
        run: The run folder.
    """

    files: tuple[Path, ...]
    run: Path
    quiet: bool = False


@dataclass(frozen=True)
class RunCommand:
    """Work through the exported files with an engine of one's own.

    Attributes:
        run: The run folder.
        base_url: Of a server, or of what stands before several; None to start vLLM on the engine's machines.
        workers: How many work at a time.
        engine_args: For vLLM, where it is started.
    """

    run: Path
    base_url: str | None = None
    workers: int = 8
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    quiet: bool = False


Command = ExportCommand | HostCommand | IngestCommand | RunCommand


def parse_arguments(argv: Sequence[str] | None = None) -> Command:
    """Read the command line (None: of this process).

    Raises:
        InputError: the options cannot be meant.
        SystemExit: usage errors (exit code 2) and --help.
    """
    values = vars(parser().parse_args(argv))
    verb, quiet = values.pop("verb"), values.get("quiet", False)
    if verb == "export":
        from diversity_judge.scoring.keywords import make_options
        from diversity_judge.scoring.options import default_folder

        options = make_options(**values)
        return ExportCommand(options if options.out else replace(options, out=default_folder(options.source)), quiet)
    if verb == "ingest":
        return IngestCommand(tuple(values["files"]), values["out"], quiet)
    if verb == "run":
        del values["engine"]
        return RunCommand(**values | {"engine_args": dict(values.get("engine_args", ()))})
    return HostCommand(verb, values["run"], values.get("base_url"), values.get("yes", False), quiet)


def parser() -> argparse.ArgumentParser:
    """The options and their help, which need nothing heavy to be imported."""
    found = CommandParser(
        prog="python -m diversity_judge.batch",
        description="Judge by files instead of live calls: a provider's batch API at a lower price, or vLLM.",
        epilog=_EPILOG,
    )
    found.add_argument("--version", action="version", version=__version__)
    verbs = found.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_export(verbs)
    for verb, purpose in (
        ("submit", "hand exported files to the host's batch API"),
        ("fetch", "get the results that are ready, and put them into the ledger"),
        ("cancel", "end the batches at the host; what was answered is still to be fetched"),
    ):
        one = verbs.add_parser(verb, help=purpose, description=purpose, argument_default=argparse.SUPPRESS)
        one.add_argument("run", type=Path, metavar="RUN", help="the run folder")
        one.add_argument("--base-url", metavar="URL", help="of the host, where it holds a credential")
        one.add_argument("--quiet", action="store_true", help="print errors only")
        if verb == "submit":
            one.add_argument("--yes", action="store_true", help=f"also where it costs more than {ASK_ABOVE_USD:g} USD")
    _add_run(verbs)
    purpose = "put files of results into the ledger"
    one = verbs.add_parser("ingest", help=purpose, description=purpose, argument_default=argparse.SUPPRESS)
    one.add_argument("files", nargs="+", type=Path, metavar="FILE", help="results of a provider or of vllm run-batch")
    one.add_argument("--out", type=Path, metavar="RUN", required=True, help="the run folder that was exported")
    one.add_argument("--quiet", action="store_true", help="print errors only")
    return found


def _add_run(verbs: argparse._SubParsersAction[CommandParser]) -> None:
    purpose = "work through exported files with an engine of your own; results go into the ledger as they come"
    one = verbs.add_parser("run", help=purpose, description=purpose, argument_default=argparse.SUPPRESS)
    one.add_argument("run", type=Path, metavar="RUN", help="the run folder")
    one.add_argument("--engine", choices=("ray",), required=True, help="ray: Ray Data, on this machine or a cluster")
    one.add_argument(
        "--base-url", metavar="URL", help="of a server that is asked (default: vLLM engines are started on the cluster)"
    )
    one.add_argument("--workers", type=_positive, metavar="N", help="actors (default: 8)")
    one.add_argument(
        "--engine-arg",
        dest="engine_args",
        action="append",
        type=named_json,
        metavar="NAME=JSON",
        help="for vLLM where it is started, such as tensor_parallel_size=8 (repeatable)",
    )
    one.add_argument("--quiet", action="store_true", help="print errors only")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _add_export(verbs: argparse._SubParsersAction[CommandParser]) -> None:
    purpose = "write the calls that a run needs as files"
    one = verbs.add_parser("export", help=purpose, description=purpose, argument_default=argparse.SUPPRESS)
    one.add_argument("responses", nargs="+", type=Path, help="files of responses, - for standard input")
    add_input(one.add_argument_group("what is compared"))
    add_judge(one.add_argument_group("the judge"))
    outputs = one.add_argument_group("outputs")
    outputs.add_argument("--out", type=Path, metavar="RUN", help="run folder (default: results/<input stem>)")
    outputs.add_argument("--ledger", type=Path, metavar="FILE", help="a ledger to share between runs")
    outputs.add_argument(
        "--overwrite", action="store_true", help="for a run of another judge, prompt, view ... in the folder"
    )
    outputs.add_argument("--quiet", action="store_true", help="print errors only")
