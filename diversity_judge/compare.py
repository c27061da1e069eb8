"""`python -m diversity_judge.compare RUN...`: strategies beside each other, as tables, figures and one report.

load -> compare -> tables -> figures -> report -> console
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.compare")

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

from rich.console import Console
from rich.text import Text

from diversity_judge.command import exit_code, output_console, refuse_unknown_options
from diversity_judge.comparing import files
from diversity_judge.comparing.arguments import CompareCommand, RunArgument, parse_arguments
from diversity_judge.comparing.console import print_comparison
from diversity_judge.comparing.result import CompareOptions, Comparison, compare_runs
from diversity_judge.runs.loading import Run, load_run
from diversity_judge.runs.sources import RunLike, as_runs

_PLAIN_WIDTH = 160
"""Columns of the tables where no terminal says how wide it is."""


def compare(runs: RunLike | Iterable[RunLike], options: CompareOptions | None = None, **changes: Any) -> Comparison:
    """Compare the strategies of some runs.

    Args:
        runs: A run, the result of `score`, a run folder or a file of responses, or several of them; together they
            hold each group once.
        options: How; the defaults if None.
        changes: Fields of `CompareOptions` that differ from `options`, as in `compare(runs, baseline="T0.7")`.

    Returns:
        The comparison: tables `process`, `differences`, `outcomes`, `problem_table`, each with `.to_frame()`.

    Raises:
        InputError: the runs cannot be compared, or one cannot be read; or there is no such option.
    """
    refuse_unknown_options(changes, [field.name for field in fields(CompareOptions)])
    return compare_runs(as_runs(runs), replace(options or CompareOptions(), **changes))


def run_command(command: CompareCommand, console: Console) -> Comparison:
    """What the command does, in order.

    Raises:
        InputError: the runs cannot be compared, or one cannot be read.
        RunError: the disk does not take the outputs.
    """
    comparison = compare([_load(argument) for argument in command.runs], command.options)
    written = [command.out]
    lacking = _what_the_report_lacks(command)
    with_report = command.report and not lacking
    with files.writing(command.out, comparison, pictures=_pictures(command, comparison), report=with_report):
        if command.figures:
            from diversity_judge.comparing.figures import save_figures

            written.append(save_figures(comparison, command.out, heatmaps=command.heatmaps))
        if with_report:
            from diversity_judge.report import write_report

            written.append(write_report(comparison, command.out / files.REPORT, megabytes=command.report_megabytes))
    print_comparison(console, comparison, written, verbose=command.verbose)
    if lacking:
        console.print(Text(f"note: no report: {lacking}", style="yellow"))
    return comparison


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        command = parse_arguments(argv)
        run_command(command, output_console(quiet=command.quiet, plain_width=_PLAIN_WIDTH))
        return 0

    return exit_code(work, when_interrupted="stopped; the same command starts again")


def _what_the_report_lacks(command: CompareCommand) -> str | None:
    """Why there will be no report though it was asked for: tables and figures are worth having without it."""
    if not command.report:
        return None
    from diversity_judge.report import what_is_missing

    return what_is_missing()


def _pictures(command: CompareCommand, comparison: Comparison) -> Sequence[str]:
    if not command.figures:
        return ()
    from diversity_judge.comparing.figures import picture_files

    return picture_files(comparison, heatmaps=command.heatmaps)


def _load(argument: RunArgument) -> Run:
    """A run, its strategies renamed: one strategy takes the name, several are put behind it."""
    run = load_run(argument.path)
    name = argument.name
    if name is None:
        return run
    if len({group.strategy for group in run.groups}) == 1:
        return run.renamed(lambda _: name)
    return run.renamed(lambda strategy: f"{name}/{strategy}")
