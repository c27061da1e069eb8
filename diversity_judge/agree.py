"""`python -m diversity_judge.agree RUN_A RUN_B`: how well judge A agrees with judge B on the same responses.

load -> match -> statistics -> tables -> figure -> console
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.agree")

from collections.abc import Sequence

from rich.console import Console

from diversity_judge.agreeing import files
from diversity_judge.agreeing.arguments import AgreeCommand, parse_arguments
from diversity_judge.agreeing.console import print_agreement
from diversity_judge.agreeing.result import JudgeAgreement, judge_agreement
from diversity_judge.command import exit_code, output_console
from diversity_judge.runs.sources import RunLike, as_run

_PLAIN_WIDTH = 180
"""Columns of the tables where no terminal says how wide it is."""


def agree(tested: RunLike, reference: RunLike) -> JudgeAgreement:
    """Hold a judge against a reference on the same responses.

    Args:
        tested: A run of the judge under test, the result of its `score`, or its run folder.
        reference: The same of the judge that is taken for the truth.

    Returns:
        The agreement: `sentence`, `pooled`, `rows` a strategy, `notes`.

    Raises:
        InputError: the runs cannot be held against each other, or one cannot be read.
    """
    return judge_agreement(as_run(tested), as_run(reference))


def run_command(command: AgreeCommand, console: Console) -> JudgeAgreement:
    """What the command does, in order.

    Raises:
        InputError: the runs cannot be held against each other, or one cannot be read.
        RunError: the disk does not take the outputs.
    """
    from diversity_judge.agreeing.figures import save_figure

    found = agree(command.tested, command.reference)
    with files.writing(command.out, found):
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
