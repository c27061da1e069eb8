"""`python -m diversity_judge.reliability RUN`: can the judge of a run be believed?

load -> the same judge -> draw pairs -> what the probes ask -> bill -> buy -> findings -> tables, figures, page
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.reliability")

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from diversity_judge.bands import read_bands
from diversity_judge.command import exit_code, output_console, refuse_unknown_options
from diversity_judge.engine.bill import Bill
from diversity_judge.engine.tally import Tally
from diversity_judge.errors import InputError
from diversity_judge.ledger import Ledger
from diversity_judge.measures.probes.sample import Sample
from diversity_judge.probing import console as show
from diversity_judge.probing import files
from diversity_judge.probing.anchors import anchor_set
from diversity_judge.probing.arguments import parse_arguments
from diversity_judge.probing.buying import buy_answers, plan_purchase, read_answers
from diversity_judge.probing.drawing import DrawnPair, draw_pairs
from diversity_judge.probing.findings import Material, counted_left_out, find_all
from diversity_judge.probing.options import ReliabilityOptions
from diversity_judge.probing.precision import precision_of
from diversity_judge.probing.requests import make_requests
from diversity_judge.probing.result import Reliability
from diversity_judge.probing.same_judge import refuse_anothers_ledger, same_judge
from diversity_judge.probing.samples import judge_minus_labels
from diversity_judge.runs.anchors import write_anchors
from diversity_judge.runs.batches import refuse_what_is_on_its_way
from diversity_judge.runs.labelled import match_labels
from diversity_judge.runs.labels import read_labels
from diversity_judge.runs.loading import Run
from diversity_judge.runs.sources import RunLike, as_run

_PLAIN_WIDTH = 100
"""Columns of the tables where no terminal says how wide it is."""


def reliability(run: RunLike, options: ReliabilityOptions | None = None, **changes: Any) -> Reliability | Bill:
    """Probe the judge of a finished run: the same pairs again, turned round, and with a known answer.

    Args:
        run: A run folder, or what `load_run` or `score` gave; its ledger must be there.
        options: How; the defaults if None.
        changes: Fields of `ReliabilityOptions` that differ from `options`, as in
            `reliability(run, probes=["retest", "order"], max_cost=5)`. Nothing is printed unless `quiet=False`.

    Returns:
        What was found: `findings`, `of(probe, metric)`, `to_frame()`; of a dry run the bill. What is bought is kept in
        the run's ledger; tables, figures and page are written where `out` says so.

    Raises:
        InputError: something is wrong with the run or the options; nothing was sent.
        RunError: the probing itself failed.
    """
    refuse_unknown_options(changes, [field.name for field in fields(ReliabilityOptions)])
    asked = replace(options or ReliabilityOptions(quiet=True), **({} if options else {"quiet": True}) | changes)
    return run_steps(as_run(run), asked, output_console(quiet=asked.quiet, plain_width=_PLAIN_WIDTH))


def run_steps(run: Run, options: ReliabilityOptions, console: Console) -> Reliability | Bill:
    """What the command does, in order.

    Raises:
        InputError: something is wrong with the run or the options; nothing was sent.
        RunError: the probing itself failed.
    """
    source = same_judge(run, options.judge)
    engine = options.engine_for(source.spec)
    labels = None if options.labels is None else _labels(run, Path(options.labels))
    drawn = draw_pairs(run, options.pairs, options.seed)
    requests = make_requests(source, drawn, options.probes, draws=options.draws, seed=options.seed)
    buys = not (options.offline or options.dry_run)
    with Ledger(_ledger_of(run, options), read_only=not buys) as ledger:
        refuse_anothers_ledger(run, ledger)
        purchase = plan_purchase(source, requests, ledger, engine, sends_calls=buys)
        show.print_bill(console, purchase, source.spec)
        if options.dry_run:
            return purchase.workload.bill
        if buys:
            refuse_what_is_on_its_way(run.path, (task.key for task in purchase.workload.tasks(purchase.judge)))
        tally = buy_answers(purchase, ledger, engine, console) if buys else Tally.of(purchase.workload.bill)
        material = Material(source, drawn, read_answers(purchase, ledger), ledger, read_bands(), labels)
        found = _found(material, tally, options)
    written = _write(found, Path(options.out), options) if options.out is not None else []
    if options.write_anchors is not None:
        write_anchors(anchor_set(found, Path(options.write_anchors)))
        written.append(Path(options.write_anchors))
    show.print_reliability(console, found, written)
    return found


def _labels(run: Run, path: Path) -> Sample:
    """How far the judge is from people, pair by pair; read before anything is bought.

    Raises:
        InputError: the labels are not of this run, or no scores.
    """
    labels = read_labels(path)
    if labels.is_binary:
        raise InputError(
            f"{path}: labels of 0 and 1 do not say by how many points a score is off; hold them against the run with "
            "python -m diversity_judge.agree RUN --labels FILE"
        )
    return judge_minus_labels(match_labels(run, labels))


def _found(material: Material, tally: Tally, options: ReliabilityOptions) -> Reliability:
    findings = find_all(material, options.probes)
    drawn, answers = tuple(material.drawn), tuple(material.answers)
    notes = (*_few_pairs(material.source.run, drawn, options), *counted_left_out(answers))
    found = Reliability(material.source, drawn, answers, findings, precision_of(material), tally, notes)
    folder = None if options.out is None else Path(options.out)
    return replace(found, manifest=files.manifest(found, options), folder=folder)


def _few_pairs(run: Run, drawn: Sequence[DrawnPair], options: ReliabilityOptions) -> Iterator[str]:
    if len(drawn) < options.pairs:
        yield f"{options.pairs:,} pairs were asked for, and the run has {len(drawn):,} with a score that the judge gave"
    missing = sum(judgment.score is None for group in run.groups for judgment in group.judgments)
    if missing:
        yield f"{missing:,} judgments of the run have no score: what the judge does with those pairs is not seen here"


def _write(found: Reliability, folder: Path, options: ReliabilityOptions) -> list[Path]:
    from diversity_judge.probing.figures import picture_files, save_figures
    from diversity_judge.report.reliability import write_page

    written = [folder]
    more = [*(picture_files() if options.figures else ()), *([files.REPORT] if options.report else ())]
    with files.writing(folder, found, more=more):
        if options.figures:
            save_figures(found, folder)
        if options.report:
            written.append(write_page(found, folder / files.REPORT))
    return written


def _ledger_of(run: Run, options: ReliabilityOptions) -> Path:
    path = run.ledger_place if options.ledger is None else Path(options.ledger)
    if path is None or not path.is_file():
        raise InputError(
            f"{run.path}: its ledger {path or ''} is not there, so it cannot be seen what was bought already; bring it "
            "there, or name it with --ledger"
        )
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        command = parse_arguments(argv)
        options = command.options
        found = run_steps(as_run(command.run), options, output_console(quiet=options.quiet, plain_width=_PLAIN_WIDTH))
        if not isinstance(found, Reliability):
            return 0
        if options.quiet:
            show.print_failure(found)
        return found.exit_code

    return exit_code(
        work,
        when_interrupted="stopped at once; every reply that arrived is in the ledger, the same command goes on",
    )
