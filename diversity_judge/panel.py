"""`python -m diversity_judge.panel RUN_A RUN_B [RUN_C] --out DIR`: the same responses by several judges.

load -> check -> scores side by side -> agreement and variance -> the mean as a run folder -> console
"""

from __future__ import annotations

if __name__ == "__main__":  # Before the imports: they take a second, in which Ctrl-C may come.
    from diversity_judge.command_process import run_as_process

    run_as_process("diversity_judge.panel")

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from diversity_judge.command import exit_code, output_console
from diversity_judge.display import counted
from diversity_judge.inputs.responses import PathLike
from diversity_judge.pooling import tables
from diversity_judge.pooling.arguments import PanelCommand, parse_arguments
from diversity_judge.pooling.console import print_panel
from diversity_judge.pooling.mean import mean_result, panel_instrument
from diversity_judge.pooling.members import check_members, panel_groups
from diversity_judge.pooling.result import Panel, agreement_of
from diversity_judge.runs.instrument import refuse_another_instrument
from diversity_judge.runs.sources import RunLike, as_runs
from diversity_judge.scoring.files import write_run

_PLAIN_WIDTH = 140
"""Columns of the tables where no terminal says how wide it is."""


def panel(
    runs: Sequence[RunLike],
    *,
    out: PathLike | None = None,
    fewer_judges: bool = False,
    overwrite: bool = False,
    heatmaps: bool = True,
) -> Panel:
    """Hold several judges against each other on the same responses, and take the mean of their scores.

    Args:
        runs: Two or more runs of different judges, results of `score`, or run folders.
        out: Write the mean there as a run folder; None: write nothing.
        fewer_judges: A pair that one judge lacks gets the mean of the others, instead of being missing.
        overwrite: Replace the run of another instrument in the folder.
        heatmaps: Draw the pictures.

    Returns:
        The panel: `pooled`, `rows` a strategy, `sentence`, `notes`; `compare` takes it as it takes a run.

    Raises:
        InputError: the runs are no panel, or cannot be read.
        RunError: the disk does not take the outputs.
    """
    members = as_runs(runs)
    check_members(members)
    groups, notes = panel_groups(members)
    names = [f"judge {number}" for number in range(1, len(members) + 1)]
    mean = mean_result(members, groups, fewer_judges=fewer_judges)
    n_incomplete = sum(int(np.isnan(group.scores).any(axis=1).sum()) for group in groups)
    if n_incomplete:
        what = (
            "get the mean of the others" if fewer_judges else "have no score in the mean (--fewer-judges changes that)"
        )
        notes = (*notes, f"{counted(n_incomplete, 'pair')} that a judge lacks {what}")
    found = Panel(tuple(members), tuple(names), groups, agreement_of(groups, names), mean, notes)
    if out is None:
        return found
    folder = Path(out)
    if not overwrite:
        refuse_another_instrument(folder, panel_instrument(members))
    more = {
        tables.AGREEMENT: tables.agreement_rows(found),
        tables.VARIANCE: tables.variance_rows(found),
        tables.DIVERSITY: tables.diversity_rows(found),
    }
    write_run(folder, mean, mean.manifest, heatmaps="problems" if heatmaps else "none", more=more)
    return replace(found, mean=replace(mean, folder=folder))


def run_command(command: PanelCommand) -> Panel:
    """What the command does.

    Raises:
        InputError: the runs are no panel, or cannot be read.
        RunError: the disk does not take the outputs.
    """
    found = panel(
        command.runs,
        out=command.out,
        fewer_judges=command.fewer_judges,
        overwrite=command.overwrite,
        heatmaps=command.heatmaps,
    )
    print_panel(output_console(quiet=command.quiet, plain_width=_PLAIN_WIDTH), found, command.out)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the contract."""

    def work() -> int:
        run_command(parse_arguments(argv))
        return 0

    return exit_code(work, when_interrupted="stopped; the same command starts again")
