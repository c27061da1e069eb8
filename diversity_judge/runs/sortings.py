"""approaches.csv of a run folder, read back: where the judge put each response of the groups that it sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from diversity_judge.inputs.responses import Group
from diversity_judge.runs.layout import APPROACHES
from diversity_judge.runs.table_files import broken, read_table, whole_numbers

_COLUMNS = ("problem_id", "strategy", "position")
_LABELS = ("approach", "reference_approach", "n_reference_approaches")


class Labels(NamedTuple):
    """What the judge said of the responses of a group; see `loading.RunGroup`."""

    approaches: tuple[int, ...] | None = None
    references: tuple[int, ...] | None = None
    n_references: int = 0


def read_labels(folder: Path, groups: Sequence[Group]) -> Mapping[tuple[str, str], Labels]:
    """The labels of each group that was sorted, by (problem id, strategy); nothing in a run that sorted none.

    Raises:
        InputError: the table is broken, or not of these responses.
    """
    path = folder / APPROACHES
    if not path.is_file():
        return {}
    rows = read_table(folder, APPROACHES, (*_COLUMNS, *_LABELS))
    positions = whole_numbers(path, rows, "position")
    columns = [whole_numbers(path, rows, name, may_be_missing=True) for name in _LABELS]
    members = rows.groupby(["problem_id", "strategy"], sort=False).indices
    found = {}
    for group in groups:
        mine = members.get((group.problem_id, group.strategy), ())
        if not len(mine):
            continue
        if [positions[row] for row in mine] != list(range(group.n_responses)):
            raise broken(path, f"has not one row for each response of {group.problem_id} / {group.strategy}")
        approaches, references, counts = ([column[row] for row in mine] for column in columns)
        found[group.problem_id, group.strategy] = Labels(_whole(approaches), _whole(references), counts[0] or 0)
    return found


def _whole(labels: Sequence[int | None]) -> tuple[int, ...] | None:
    """A label of every response, or none."""
    known = tuple(label for label in labels if label is not None)
    return known if len(known) == len(labels) else None
