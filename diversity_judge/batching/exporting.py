"""What a run needs, as files: the same plan, the same keys and the same requests as `score` would send.

Where summaries are compared, an export holds those that are missing, and the pairs of those that are there: at first
all summaries, and once these are in the ledger, all pairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from diversity_judge.batching.record import BatchJudge
from diversity_judge.batching.requests import request_lines, write_files
from diversity_judge.engine.bill import Bill
from diversity_judge.errors import InputError, RunError
from diversity_judge.inputs.in_memory import read_inputs
from diversity_judge.inputs.selection import select
from diversity_judge.judges.base import Judge
from diversity_judge.judges.presets import BatchTerms
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import too_many_pairs
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.planning.question import Question
from diversity_judge.runs.batches import (
    ON_THEIR_WAY,
    BatchFile,
    BatchRecord,
    Stage,
    batch_folder,
    keys_on_their_way,
    read_record,
    write_record,
)
from diversity_judge.runs.instrument import refuse_another_instrument
from diversity_judge.runs.ledger_place import lies_in
from diversity_judge.scoring.known_ledger import with_known_ledger
from diversity_judge.scoring.manifest import instrument_of
from diversity_judge.scoring.options import ScoreOptions
from diversity_judge.scoring.work import Wanted, Work


@dataclass(frozen=True)
class Exported:
    """What an export left.

    Attributes:
        folder: Where the files are.
        files: The new ones.
        n_on_their_way: Calls that are left out because a host works on them.
        replaced: Names of earlier files that nobody was given, and that are gone.
        bill: Of the run, batch prices not considered.
        judge: Who will be asked.
        prompt: The template as the tables name it.
        warnings: Of the input.
    """

    folder: Path
    files: tuple[BatchFile, ...]
    n_on_their_way: int
    replaced: tuple[str, ...]
    bill: Bill
    judge: BatchJudge
    prompt: str
    warnings: tuple[str, ...]

    @property
    def n_calls(self) -> int:
        """Calls in the new files."""
        return sum(file.n_requests for file in self.files)

    @property
    def cost_usd(self) -> float | None:
        """Of the new files at the price of a batch; None where no prices are known."""
        costs = [file.cost_usd for file in self.files if file.cost_usd is not None]
        return sum(costs) if self.bill.cost_of_a_call_usd is not None else None


def export(options: ScoreOptions) -> Exported:
    """Write the calls that a run needs.

    Raises:
        InputError: something is wrong with the input or the options.
        RunError: the disk does not take the files.
    """
    options = with_known_ledger(options)
    run, ledger_path = options.folder, options.ledger_path
    if options.judge.is_embedded or run is None or ledger_path is None:
        raise InputError(f"--judge {options.judge.name} computes its scores: there is nothing to send; use score")
    if options.target_width is not None:
        raise InputError("--target-width buys in two stages, and a batch in one: give --pairs-per-group, see `plan`")
    read = read_inputs(options.source, format=options.input_format)
    groups = select(read.groups, strategies=options.strategies, limit=options.limit)
    wanted = Wanted.of(options, groups, sends_calls=False)
    judge, template = wanted.judge, wanted.template
    if (advice := None if options.all_pairs else too_many_pairs(wanted.plans, options.design)) is not None:
        raise InputError(advice)
    if not options.overwrite:
        refuse_another_instrument(run, instrument_of(options, judge, template))
    with Ledger.read_if_there(ledger_path) as ledger:
        work = wanted.work(ledger, summaries_come=False)
    if not lies_in(run, ledger_path):
        Ledger(ledger_path).close()  # Made now, so that one which is not there later is known to be lost.
    return _write(options, run, ledger_path, work, judge, template, read.warnings)


def _write(
    options: ScoreOptions,
    run: Path,
    ledger_path: Path,
    work: Work,
    judge: Judge,
    template: PromptTemplate,
    warnings: Iterable[str],
) -> Exported:
    asked = BatchJudge.of(options.judge)
    earlier = _of_the_same_judge(run, asked) or BatchRecord(asked.as_record(), ledger_path)
    sent = keys_on_their_way(run)
    kept = tuple(file for file in earlier.files if file.stage is not Stage.EXPORTED)
    replaced = tuple(file.name for file in earlier.files if file.stage is Stage.EXPORTED)
    folder = batch_folder(run)
    wanted = _Counting(work.tasks(), sent)
    try:
        # New numbers, so that the earlier files are whole until the record names the new ones.
        files = write_files(
            request_lines(wanted, options.judge, template),
            folder,
            options.judge.batch or BatchTerms(),
            first=earlier.next_number,
        )
        files = _priced(files, work.bill, asked)
        write_record(run, replace(earlier, judge=asked.as_record(), ledger=ledger_path, files=(*kept, *files)))
        for name in replaced:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot write the calls: {error}") from error
    return Exported(
        folder,
        tuple(files),
        wanted.n_left_out,
        replaced,
        work.bill,
        asked,
        judge.prompt_label,
        tuple(warnings),
    )


def _priced(files: list[BatchFile], bill: Bill, judge: BatchJudge) -> list[BatchFile]:
    """With what each file will likely cost: what a call of the run costs on average, at the price of a batch."""
    a_call = bill.cost_of_a_call_usd
    if a_call is None:
        return files
    return [replace(file, cost_usd=a_call * judge.terms.price_share * file.n_requests) for file in files]


def _of_the_same_judge(run: Path, judge: BatchJudge) -> BatchRecord | None:
    """The earlier record, whose batches may still be under way.

    Raises:
        InputError: a host works on calls for another judge, whose results would be filed under this one.
    """
    record = read_record(run)
    if record is None:
        return None
    there = BatchJudge.from_record(record.judge, batch_folder(run))
    is_other = (there.model, there.host) != (judge.model, judge.host)
    if is_other and any(file.stage in ON_THEIR_WAY for file in record.files):
        raise InputError(
            f"{run}: a batch for {there.model} at {there.host} is on its way: fetch or cancel it first, or name "
            "another folder with --out"
        )
    return record


class _Counting:
    """Tasks without those that a host works on, which are counted."""

    def __init__(self, tasks: Iterable[Question], left_out: frozenset[str]) -> None:
        self._tasks = iter(tasks)
        self._left_out = left_out
        self.n_left_out = 0

    def __iter__(self) -> _Counting:
        return self

    def __next__(self) -> Question:
        for task in self._tasks:
            if task.key not in self._left_out:
                return task
            self.n_left_out += 1
        raise StopIteration
