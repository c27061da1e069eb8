"""Which heat maps become files, under which names, and who draws them.

A problem has a figure of all its strategies, a group one of its own where that is asked for. Many figures are drawn by
other processes (`workers`), a few here.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from diversity_judge.drawing.axes import write_picture
from diversity_judge.drawing.heatmaps import Heatmap, png_of
from diversity_judge.drawing.workers import drawn_elsewhere
from diversity_judge.text_safety import slugs

_FEW = 8
"""Figures that are drawn sooner here than another process has started."""


@dataclass(frozen=True)
class Pictures:
    """What is to be drawn.

    Attributes:
        files: Name of a file to the groups that it shows; of a problem, its groups' own first.
        problems_left_out: Problems that get no figure.
    """

    files: Mapping[str, Sequence[Heatmap]]
    problems_left_out: int = 0


def choose_pictures(heatmaps: Iterable[Heatmap], *, groups: bool = False, most_problems: int | None = None) -> Pictures:
    """The files of the first problems.

    Args:
        heatmaps: Groups in any order.
        groups: Give each group a figure of its own, too: `PROBLEM__STRATEGY.png` beside `PROBLEM.png`.
        most_problems: So many problems at most; None for all.
    """
    by_problem: dict[str, list[Heatmap]] = {}
    for heatmap in heatmaps:
        by_problem.setdefault(heatmap.problem_id, []).append(heatmap)
    problem_names = slugs(by_problem)
    strategy_names = slugs(member.strategy for members in by_problem.values() for member in members)
    files: dict[str, Sequence[Heatmap]] = {}
    for problem_id, members in islice(by_problem.items(), most_problems):
        problem = problem_names[problem_id]
        if groups:
            files |= {f"{problem}__{strategy_names[member.strategy]}.png": [member] for member in members}
        files[f"{problem}.png"] = members
    left_out = 0 if most_problems is None else max(0, len(by_problem) - most_problems)
    return Pictures(files, left_out)


def save_pictures(pictures: Pictures, folder: Path, *, judge: str = "") -> list[Path]:
    """Write a PNG each, whole or not at all.

    Args:
        pictures: What is drawn.
        folder: Where to; made if it is not there.
        judge: How the judge is named below the pictures.

    Returns:
        The files, in their order.

    Raises:
        OSError: A file can't be written.
        ValueError: As `heatmaps.problem_heatmaps`.
    """
    files = {folder / name: shown for name, shown in pictures.files.items()}
    if len(files) > _FEW:
        drawn_elsewhere(files, judge=judge)
    else:
        for path, png in _drawn_here(files, judge):
            write_picture(path, png)
    return list(files)


def _drawn_here(files: Mapping[Path, Sequence[Heatmap]], judge: str) -> Iterator[tuple[Path, bytes]]:
    for path, shown in files.items():
        yield path, png_of(shown, judge=judge)
        # A figure's parts refer to one another, so only the collector frees them, and beside many judgments it comes
        # late: dozens of dead figures would pile up.
        gc.collect()
