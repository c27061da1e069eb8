"""`python -m diversity_judge.batch VERB ...`: judging by files, by a provider's batch API or an engine of your own.

export -> submit -> fetch            with a provider's batch API
export -> (vllm run-batch) -> ingest  with files that somebody else works on
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.batch")

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from rich.console import Console

from diversity_judge.batching import console as show
from diversity_judge.batching.arguments import (
    ExportCommand,
    HostCommand,
    IngestCommand,
    RunCommand,
    parse_arguments,
)
from diversity_judge.batching.exporting import Exported, export
from diversity_judge.batching.ingesting import IngestCounts, ingest
from diversity_judge.batching.ray_engine import RayJob, run_job
from diversity_judge.batching.record import BatchJudge, needed_record, open_ledger
from diversity_judge.batching.results import read_results
from diversity_judge.batching.submitting import cancel_all, done, fetch_results, key_for, open_api, submit_all
from diversity_judge.command import exit_code, output_console
from diversity_judge.engine.options import EngineOptions
from diversity_judge.engine.spending import check_sum
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import PathLike
from diversity_judge.runs.batches import RECORD, BatchRecord, Stage, batch_folder, keys_of

_PLAIN_WIDTH = 140
_INCOMPLETE = 3


def ingest_results(files: Sequence[PathLike], run: PathLike) -> IngestCounts:
    """Put files of results into the ledger of a run whose calls were exported.

    Args:
        files: Results, in the form of providers or of vLLM, in any order; again without harm.
        run: The run folder.

    Returns:
        What came of the lines.

    Raises:
        InputError: nothing was exported for this run, or a file cannot be read.
        RunError: the ledger cannot be written.
    """
    run = Path(run)
    return _ingest([Path(file) for file in files], run, needed_record(run))


def _ingest(files: Sequence[Path], run: Path, record: BatchRecord) -> IngestCounts:
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(f"{missing[0]}: there is no such file")
    judge = _judge_of(record, run)
    known = frozenset(key for file in record.files for key in keys_of(batch_folder(run) / file.name))
    lines = (line for file in files for line in read_results(file, host=judge.host, model=judge.model))
    with open_ledger(run, record) as ledger:
        return ingest(lines, ledger, judge, known)


def _judge_of(record: BatchRecord, run: Path) -> BatchJudge:
    return BatchJudge.from_record(record.judge, batch_folder(run) / RECORD)


def run_export(command: ExportCommand, console: Console) -> Exported:
    """Write the calls that a run needs.

    Raises:
        InputError: something is wrong with the input or the options.
        RunError: the disk does not take the files.
    """
    found = export(command.scoring)
    show.print_exported(console, found, found.folder.parent)
    return found


def run_host(command: HostCommand, console: Console) -> int:
    """Submit, fetch or cancel; returns the exit code.

    Raises:
        InputError: nothing was exported, or the host has no API that can be called.
        RunError: the host or the disk refuses.
    """
    run, record = command.run, needed_record(command.run)
    judge = _judge_of(record, run)
    told = partial(show.print_file, console)
    has_summaries = False
    with closing(open_api(judge, command.base_url)) as api:
        if command.verb == "submit":
            waiting = [file.cost_usd or 0.0 for file in record.files if file.stage is Stage.EXPORTED]
            check_sum(sum(waiting), EngineOptions(yes=command.yes))
            record = submit_all(run, record, api, judge.terms.window, told)
        elif command.verb == "cancel":
            record = cancel_all(run, record, api, told)
        else:
            is_whole = True
            for file, results in fetch_results(run, record, api, told):
                counts = _ingest(results, run, record)
                is_whole &= counts.is_whole
                has_summaries |= counts.summaries > 0
                show.print_ingested(console, results, counts, run)
                record = done(run, record, file)
    n_waiting = sum(file.stage is Stage.SUBMITTED for file in record.files)
    show.print_next(console, run, n_waiting, has_summaries=has_summaries)
    return _INCOMPLETE if command.verb == "fetch" and (n_waiting or not is_whole) else 0


def run_ingest(command: IngestCommand, console: Console) -> int:
    """Put results into the ledger; returns the exit code.

    Raises:
        InputError: nothing was exported, or a file cannot be read.
        RunError: the ledger cannot be written.
    """
    counts = ingest_results(command.files, command.run)
    show.print_ingested(console, command.files, counts, command.run)
    show.print_next(console, command.run, 0, has_summaries=counts.summaries > 0)
    return 0 if counts.is_whole else _INCOMPLETE


def run_engine(command: RunCommand, console: Console) -> int:
    """Work through the exported files with an engine of one's own; returns the exit code.

    Raises:
        InputError: nothing was exported, a key is missing, or the engine is not installed.
        RunError: the engine ends the work; what came before is in the ledger.
    """
    run, record = command.run, needed_record(command.run)
    judge = _judge_of(record, run)
    files = tuple(batch_folder(run) / file.name for file in record.files if file.stage is Stage.EXPORTED)
    exported = frozenset(key for path in files for key in keys_of(path))
    with open_ledger(run, record) as ledger:
        wanted = exported.difference(ledger.replies(sorted(exported)))
        job = RayJob(
            files=files,
            keys=wanted,
            model=judge.model,
            base_url=command.base_url,
            key=key_for(judge, command.base_url),
            workers=command.workers,
            engine_args=command.engine_args,
        )
        counts = ingest(run_job(job, host=judge.host), ledger, judge, wanted) if wanted else IngestCounts()
    show.print_ingested(console, files, counts, run)
    show.print_next(console, run, 0, has_summaries=counts.summaries > 0)
    return 0 if counts.is_whole and counts.lines == len(wanted) else _INCOMPLETE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        command = parse_arguments(argv)
        console = output_console(quiet=command.quiet, plain_width=_PLAIN_WIDTH)
        if isinstance(command, ExportCommand):
            run_export(command, console)
            return 0
        if isinstance(command, RunCommand):
            return run_engine(command, console)
        return run_ingest(command, console) if isinstance(command, IngestCommand) else run_host(command, console)

    return exit_code(work, when_interrupted="stopped; what is noted is kept, the same command goes on")
