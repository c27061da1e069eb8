"""`python -m diversity_judge.score responses.jsonl`: process diversity of the responses in a file.

read -> plan -> bill -> buy -> read judgments -> matrices -> tables, pictures, manifest
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.score")

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, overload

from rich.console import Console

from diversity_judge.command import exit_code, output_console, refuse_unknown_options
from diversity_judge.engine.bill import Bill
from diversity_judge.engine.spending import check_spending
from diversity_judge.engine.tally import Ending, Tally
from diversity_judge.errors import InputError
from diversity_judge.inputs.in_memory import Given, read_inputs
from diversity_judge.inputs.reading import ReadResult
from diversity_judge.inputs.selection import select
from diversity_judge.judges.base import Judge
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import too_many_pairs
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.runs.anchors import read_anchors
from diversity_judge.runs.batches import refuse_what_is_on_its_way
from diversity_judge.runs.instrument import refuse_another_instrument
from diversity_judge.runs.layout import LEDGER
from diversity_judge.scoring import console as show
from diversity_judge.scoring import files, manifest, two_stage
from diversity_judge.scoring.anchors import Watch, buy_between, marked, said_by, with_anchors
from diversity_judge.scoring.arguments import parse_arguments
from diversity_judge.scoring.group_results import group_results
from diversity_judge.scoring.keywords import ScoreKeywords, make_options
from diversity_judge.scoring.known_ledger import with_known_ledger
from diversity_judge.scoring.options import ScoreOptions
from diversity_judge.scoring.result import ScoreResult, score_result
from diversity_judge.scoring.surrogates import estimator_record, find_surrogate, with_surrogate
from diversity_judge.scoring.work import Wanted

if TYPE_CHECKING:
    from typing_extensions import Unpack

_PLAIN_WIDTH = 140
"""Columns of the tables where no terminal says how wide it is."""


@overload
def score(responses: ScoreOptions) -> ScoreResult | Bill: ...
@overload
def score(responses: Given, *, dry_run: Literal[True], **options: Unpack[ScoreKeywords]) -> Bill: ...
@overload
def score(responses: Given, *, dry_run: Literal[False] = False, **options: Unpack[ScoreKeywords]) -> ScoreResult: ...
def score(responses: Given | ScoreOptions, **options: Any) -> ScoreResult | Bill:
    """Score responses: how differently do they reason?

    Args:
        responses: A path or several, rows of the contract as dicts, `Response`s, a data frame with the contract's
            columns, or `{strategy: {problem: [texts]}}`; or one value of options, which then says everything.
        options: By the names of the command's options, see `ScoreKeywords`: `judge="proxy"`, `pairs_per_group=128`,
            `out="results/mine"` and so on. Nothing is printed unless `quiet=False`.

    Returns:
        The result: `scores`, `strategies`, `pairs` as data frames, `matrices`, `heatmap(problem)`; of a dry run the
        bill. Without `out`, a judge that computes leaves nothing on the disk; what an LLM is paid for is always kept,
        by default in `results/` as the command does.

    Raises:
        InputError: something is wrong with the input or the options; nothing was sent.
        RunError: the run itself failed.
    """
    if isinstance(responses, ScoreOptions):
        refuse_unknown_options(options, ())
        asked = responses
    else:
        asked = make_options(responses, **({"quiet": True} | options))
    console = output_console(quiet=asked.quiet, plain_width=_PLAIN_WIDTH)
    read = _read(asked)
    for warning in read.warnings:
        warnings.warn(warning, stacklevel=2)
    if asked.out is None and asked.sends_calls and asked.folder is not None:
        warnings.warn(f"every paid answer is kept in {asked.folder}; out= names another folder", stacklevel=2)
    return run_steps(asked, read, console)


def run_command(options: ScoreOptions, console: Console) -> ScoreResult | Bill:
    """What the command does, in order.

    Raises:
        InputError: something is wrong with the input or the options; nothing was sent.
        RunError: the run itself failed.
    """
    read = _read(options)
    show.print_warnings(console, read.warnings)
    return run_steps(options, read, console)


def _read(options: ScoreOptions) -> ReadResult:
    """The responses, those that are wanted."""
    read = read_inputs(options.source, format=options.input_format)
    return replace(read, groups=select(read.groups, strategies=options.strategies, limit=options.limit))


def run_steps(options: ScoreOptions, read: ReadResult, console: Console) -> ScoreResult | Bill:
    """Plan, bill, buy, and put together what was found; where nothing is kept, the ledger is a temporary one."""
    options = with_known_ledger(options)
    if options.ledger_path is not None:
        return _in_stages(options, options.ledger_path, read, console)
    if options.offline:
        raise InputError("--offline needs a ledger to read: name the run folder with --out, or the file with --ledger")
    with TemporaryDirectory(prefix="diversity_judge-") as folder:
        ledger_path = Path(folder) / LEDGER
        return _in_stages(replace(options, ledger=ledger_path), ledger_path, read, console)


def _in_stages(options: ScoreOptions, ledger_path: Path, read: ReadResult, console: Console) -> ScoreResult | Bill:
    """In one stage, or a pilot, the decision how many pairs are needed, and the rest."""
    if options.target_width is None:
        found = _find(options, ledger_path, read, console)
        return found if isinstance(found, Bill) else _leave(options, found, console)
    stages = two_stage.Stages.of(options, read.groups)
    decided, spent = stages.earlier_decision(), None
    of_all = _bill(stages.all_pairs, None, read)
    if options.dry_run:
        show.print_stages(console, None if decided is None else two_stage.decision_sentence(decided, options.level))
        return _find(stages.pilot if decided is None else stages.rest(decided, None), ledger_path, read, console)
    if decided is None:
        if options.sends_calls:
            check_spending(_bill(stages.all_pairs, ledger_path, read), options.engine, options.judge)
            stages = stages.agreed()  # What is asked about is the most that both stages can cost.
        pilot = _find(stages.pilot, ledger_path, read, console)
        if isinstance(pilot, Bill) or pilot.tally.ending is not Ending.DONE:
            return pilot if isinstance(pilot, Bill) else _leave(options, pilot, console)
        decided, spent = stages.decide(pilot), pilot.tally
    show.print_stages(console, two_stage.decision_sentence(decided, options.level))
    found = _find(stages.rest(decided, spent), ledger_path, read, console)
    if isinstance(found, Bill):
        return found
    found = two_stage.with_decision(found, stages, decided, spent)
    found = _leave(options, found, console)
    show.print_stages(console, two_stage.saved_sentence(decided, found.judgments, of_all))
    return found


def _bill(options: ScoreOptions, ledger_path: Path | None, read: ReadResult) -> Bill:
    """What a run would buy: of what the ledger does not hold, or without one."""
    wanted = Wanted.of(options, read.groups, sends_calls=False)
    if ledger_path is None:
        return wanted.work(None, summaries_come=True).bill
    with Ledger.read_if_there(ledger_path) as stored:
        return wanted.work(stored, summaries_come=True).bill


def _find(options: ScoreOptions, ledger_path: Path, read: ReadResult, console: Console) -> ScoreResult | Bill:
    """Plan, bill, buy, and put together what was found; of a dry run the bill."""
    started = time.time()
    wanted = Wanted.of(options, read.groups, sends_calls=options.sends_calls)
    plans, judge, template = wanted.plans, wanted.judge, wanted.template
    surrogate = find_surrogate(options.surrogate, plans, folder=options.folder)
    record = manifest.describe(options, judge, template, read)
    watch = _watch(options, judge, template)
    if options.folder is not None and not options.overwrite:
        refuse_another_instrument(options.folder, manifest.instrument_of(options, judge, template))

    advice = None if options.all_pairs else too_many_pairs(plans, options.design)
    if options.dry_run:
        with Ledger.read_if_there(ledger_path) as stored:
            work = wanted.work(stored, summaries_come=True)
        bill = work.bill if watch is None else with_anchors(work.bill, watch)
        show.print_bill(console, bill, options.judge, judge.prompt_label)
        show.print_warnings(console, [advice] if advice else [])
        return bill
    if advice and options.sends_calls:
        raise InputError(advice)

    with Ledger(ledger_path, read_only=options.offline) as ledger:
        buys = options.sends_calls
        work = wanted.work(ledger, summaries_come=buys)
        bill = work.bill if watch is None else with_anchors(work.bill, watch)
        show.print_bill(console, bill, options.judge, judge.prompt_label)
        if buys and options.folder is not None:
            refuse_what_is_on_its_way(options.folder, (task.key for task in work.tasks()))
        n_before = len(watch.moments(ledger)) if watch is not None else 0
        if not buys:
            tally = Tally.of(work.bill)
        elif watch is not None:
            tally = buy_between(watch, work.workload, judge, ledger, options.engine, console)
        else:
            work, tally = work.buy(ledger, options.engine, console)
        groups = with_surrogate(group_results(work.workload, judge, ledger), surrogate)
        instrument = manifest.instrument_of(options, judge, template)
        said = said_by(watch, ledger, n_before, folder=options.folder, instrument=instrument)
    result = score_result(groups, judge, tally, work.known_summaries)
    record = manifest.complete(record, result, started=started) | {"estimator": estimator_record(groups, surrogate)}
    if said is not None:
        result, record = marked(result, record, said)
    return replace(result, manifest=record, folder=options.folder, warnings=read.warnings)


def _leave(options: ScoreOptions, result: ScoreResult, console: Console) -> ScoreResult:
    """Write what was found, and say it."""
    if options.folder is not None:
        undrawn = files.write_run(
            options.folder,
            result,
            result.manifest,
            heatmaps=options.heatmaps or "problems",
            most_problems_drawn=options.most_problems_drawn,
        )
        show.print_undrawn(console, undrawn)
    show.print_results(console, result, verbose=options.verbose)
    show.print_anchors(console, result.manifest)
    return result


def _watch(options: ScoreOptions, judge: Judge, template: PromptTemplate) -> Watch | None:
    """What is needed to ask the anchors; None where there are none."""
    if options.anchors is None:
        return None
    return Watch(read_anchors(options.anchors), judge, template, manifest.instrument_of(options, judge, template))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        options = parse_arguments(argv)
        found = run_command(options, output_console(quiet=options.quiet, plain_width=_PLAIN_WIDTH))
        if not isinstance(found, ScoreResult):
            return 0
        if options.quiet:
            show.print_failure(found)
        return found.exit_code

    return exit_code(
        work,
        when_interrupted="stopped at once; every reply that arrived is in the ledger, the same command goes on",
    )
