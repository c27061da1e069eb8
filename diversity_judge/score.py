"""`python -m diversity_judge.score responses.jsonl`: process diversity of the responses in a file.

read -> plan -> bill -> buy -> read judgments -> matrices -> tables, pictures, manifest
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich.console import Console

from diversity_judge.command import exit_code, output_console
from diversity_judge.engine.session import buy
from diversity_judge.engine.tally import Tally
from diversity_judge.engine.workload import check_fits, make_workload
from diversity_judge.errors import InputError
from diversity_judge.inputs.reading import read_responses
from diversity_judge.judges.make import make_judge
from diversity_judge.ledger import Ledger
from diversity_judge.planning.groups import plan_groups, too_many_pairs
from diversity_judge.planning.prompting import PromptTemplate
from diversity_judge.runs.instrument import refuse_another_instrument
from diversity_judge.scoring import console as show
from diversity_judge.scoring import files, manifest
from diversity_judge.scoring.arguments import parse_arguments
from diversity_judge.scoring.options import ScoreOptions
from diversity_judge.scoring.result import ScoreResult, group_results, score_result

_PLAIN_WIDTH = 140
"""Columns of the tables where no terminal says how wide it is."""


def score(options: ScoreOptions, console: Console | None = None) -> ScoreResult | None:
    """Score the responses in some files; the command is this function.

    Args:
        options: What to do.
        console: Where to write the bill, progress and tables; None for silence.

    Returns:
        The result, or None for a dry run.

    Raises:
        InputError: something is wrong with the input or the options; nothing was sent.
        RunError: the run itself failed.
    """
    console = console or Console(quiet=True)
    started = time.time()
    read = read_responses(options.inputs, format=options.input_format)
    show.print_warnings(console, read.warnings)
    plans = plan_groups(read.groups, options.design, options.shown)
    template = PromptTemplate.load(options.prompt)
    check_fits(plans, options.judge, template)
    judge = make_judge(
        options.judge,
        template,
        sends_calls=options.sends_calls,
        deadline_s=options.engine.deadline_s,
        concurrency=options.engine.concurrency,
    )
    record = manifest.describe(options, judge, template, read.warnings)
    if not options.overwrite:
        refuse_another_instrument(options.folder, manifest.instrument_of(options, judge, template))

    advice = None if options.all_pairs else too_many_pairs(plans, options.design)
    if options.dry_run:
        with Ledger.opened_if_there(options.ledger_path) as stored:
            workload = make_workload(plans, judge, stored, template)
        show.print_bill(console, workload.bill, options.judge, judge.prompt_label)
        show.print_warnings(console, [advice] if advice else [])
        return None
    if advice and options.sends_calls:
        raise InputError(advice)

    with Ledger(options.ledger_path, must_exist=options.offline) as ledger:
        workload = make_workload(plans, judge, ledger, template)
        show.print_bill(console, workload.bill, options.judge, judge.prompt_label)
        buys = options.sends_calls
        tally = buy(workload, judge, ledger, options.engine, console) if buys else Tally.of(workload.bill)
        groups = group_results(workload, judge, ledger)
    result = score_result(groups, judge, tally)
    record = manifest.complete(record, result, started=started)
    files.write_run(options.folder, result, record, heatmaps=options.heatmaps)
    show.print_results(console, result, options.folder)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        options = parse_arguments(argv)
        result = score(options, output_console(quiet=options.quiet, plain_width=_PLAIN_WIDTH))
        return 0 if result is None else result.exit_code

    return exit_code(
        work,
        when_interrupted="stopped at once; every reply that arrived is in the ledger, the same command goes on",
    )


if __name__ == "__main__":
    sys.exit(main())
