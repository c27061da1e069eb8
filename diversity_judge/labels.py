"""`python -m diversity_judge.labels make RUN` and `labels read FILE... --key KEY`: labels of people for pairs of a run.

make: load -> draw pairs and controls -> lay out -> page and key
read: key -> answers, checked -> label file
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.labels")

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from diversity_judge.command import exit_code, output_console
from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import PathLike
from diversity_judge.labelling import console as show
from diversity_judge.labelling import files
from diversity_judge.labelling.arguments import DEFAULT_PAIRS, MakeCommand, ReadCommand, parse_arguments
from diversity_judge.labelling.checking import read_answers
from diversity_judge.labelling.key import read_key
from diversity_judge.labelling.result import LabelsRead, labels_result
from diversity_judge.labelling.sheet import Sheet, make_sheet, usual_controls
from diversity_judge.runs.sources import RunLike, as_run

_PLAIN_WIDTH = 120
"""Columns of the tables where no terminal says how wide it is."""
_PAGE = "labels.html"
_LABELS = "labels.csv"


def labels_make(
    run: RunLike,
    *,
    pairs: int = DEFAULT_PAIRS,
    controls: int | None = None,
    seed: int = 0,
    out: PathLike | None = None,
) -> Sheet:
    """Draw pairs of a run for people to label.

    Args:
        run: A judged run, a result of `score`, or its run folder.
        pairs: How many, equally over strategies and problems.
        controls: Pairs with a known answer among them; None: one in ten.
        seed: Of the draw.
        out: Write the page there, and its key beside it; None: write nothing.

    Raises:
        InputError: the run has no pair to label, or the key of another sheet lies where this one's would.
        RunError: the disk does not take them.
    """
    MakeCommand(Path(), pairs, controls, seed)  # Refuses what cannot be meant.
    judged = as_run(run)
    if not judged.is_judged:
        raise InputError(f"{judged.path}: these are responses without a judge; name a run folder of score")
    n_controls = usual_controls(pairs) if controls is None else controls
    sheet = make_sheet(judged, n_pairs=pairs, n_controls=n_controls, seed=seed)
    if out is not None:
        files.write_sheet(sheet, Path(out))
    return sheet


def labels_read(
    answers: PathLike | Sequence[PathLike], *, key: PathLike, partial: bool = False, out: PathLike | None = None
) -> LabelsRead:
    """Read and check what came back of a label sheet.

    Args:
        answers: The CSVs that the sheet saved, of one or several people.
        key: The sheet's key.
        partial: Take sheets that are not filled to the end.
        out: Write the labels there (`.csv` or `.jsonl`); None: write nothing.

    Raises:
        InputError: something is wrong with key or answers; the message names file and line.
        RunError: the disk does not take the labels.
    """
    paths = [answers] if isinstance(answers, str | Path) or not isinstance(answers, Sequence) else answers
    known = read_key(Path(key))
    found = labels_result(known, read_answers([Path(path) for path in paths], known, partial=partial), None)
    if out is None:
        return found
    files.write_labels(found, Path(out))
    return replace(found, path=Path(out))


def run_command(command: MakeCommand | ReadCommand) -> None:
    """What the command does.

    Raises:
        InputError: something is wrong with what was named.
        RunError: the disk does not take the outputs.
    """
    console = output_console(quiet=command.quiet, plain_width=_PLAIN_WIDTH)
    if isinstance(command, MakeCommand):
        page = command.out or command.run / _PAGE
        sheet = labels_make(command.run, pairs=command.pairs, controls=command.controls, seed=command.seed, out=page)
        show.print_sheet(console, sheet, page, files.key_path(page), command.pairs)
    else:
        out = command.out or command.key.parent / _LABELS
        found = labels_read(list(command.files), key=command.key, partial=command.partial, out=out)
        show.print_labels(console, found, found.key.run)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        run_command(parse_arguments(argv))
        return 0

    return exit_code(work, when_interrupted="stopped; the same command starts again")


__all__ = ["labels_make", "labels_read", "main"]
