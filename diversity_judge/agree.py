"""`python -m diversity_judge.agree RUN_A RUN_B` or `RUN_A --labels FILE`: a judge held against another, or people.

load -> match -> statistics -> tables -> figure -> console
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.agree")

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from rich.console import Console

from diversity_judge.agreeing import files, label_files
from diversity_judge.agreeing.arguments import AgreeCommand, parse_arguments
from diversity_judge.agreeing.console import print_agreement
from diversity_judge.agreeing.label_console import print_label_agreement
from diversity_judge.agreeing.labelled import LabelAgreement, label_agreement
from diversity_judge.agreeing.result import JudgeAgreement, judge_agreement
from diversity_judge.choices import DEFAULT_EPSILON
from diversity_judge.command import exit_code, output_console
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import PathLike
from diversity_judge.runs.labels import read_labels
from diversity_judge.runs.sources import RunLike, as_run

_PLAIN_WIDTH = 180
"""Columns of the tables where no terminal says how wide it is."""


@overload
def agree(tested: RunLike, reference: RunLike) -> JudgeAgreement: ...
@overload
def agree(
    tested: RunLike, *, labels: PathLike, skip_unknown: bool = False, epsilon: float = DEFAULT_EPSILON
) -> LabelAgreement: ...
def agree(
    tested: RunLike,
    reference: RunLike | None = None,
    *,
    labels: PathLike | None = None,
    skip_unknown: bool = False,
    epsilon: float = DEFAULT_EPSILON,
) -> JudgeAgreement | LabelAgreement:
    """Hold a judge against a reference on the same responses: another judge, or people.

    Args:
        tested: A run of the judge under test, the result of its `score`, or its run folder.
        reference: The same of the judge that is taken for the truth.
        labels: Instead of it, a file of people's labels: scores, or 0 and 1 for similar or not.
        skip_unknown: Leave labels of pairs that are not in the run out, instead of refusing them.
        epsilon: Of the alternative annotator test, with labels of two people or more.

    Returns:
        Against a judge: `sentence`, `pooled`, `rows` a strategy, `notes`. Against people: `scores` (the same) or
        `binary`, and `people`, who agree with each other and with the judge.

    Raises:
        InputError: there is no reference or there are two; they cannot be held against each other, or one cannot be
            read.
    """
    if labels is not None and reference is None:
        return label_agreement(as_run(tested), read_labels(Path(labels)), skip_unknown=skip_unknown, epsilon=epsilon)
    if labels is not None or reference is None:
        raise InputError("name one reference: another run, or a file of labels")
    return judge_agreement(as_run(tested), as_run(reference))


def run_command(command: AgreeCommand, console: Console) -> JudgeAgreement | LabelAgreement:
    """What the command does, in order.

    Raises:
        InputError: the judge cannot be held against the reference, or something cannot be read.
        RunError: the disk does not take the outputs.
    """
    if command.labels is not None:
        return _against_people(command, command.labels, console)
    from diversity_judge.agreeing.figures import save_figure

    assert command.reference is not None, "the options have one reference"
    found = agree(command.tested, command.reference)
    with files.writing(command.out, found):
        save_figure(found, command.out / files.FIGURE)
    print_agreement(console, found, [command.out])
    return found


def _against_people(command: AgreeCommand, labels: Path, console: Console) -> LabelAgreement:
    from diversity_judge.agreeing.figures import save_figure
    from diversity_judge.agreeing.label_figures import save_binary_figure

    found = agree(command.tested, labels=labels, skip_unknown=command.skip_unknown, epsilon=command.epsilon)
    with label_files.writing(command.out, found):
        if found.scores is not None:
            save_figure(found.scores, command.out / files.FIGURE)
        else:
            save_binary_figure(found, command.out / files.FIGURE)
    print_label_agreement(console, found, [command.out])
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        command = parse_arguments(argv)
        run_command(command, output_console(quiet=command.quiet, plain_width=_PLAIN_WIDTH))
        return 0

    return exit_code(work, when_interrupted="stopped; the same command starts again")
