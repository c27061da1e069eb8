"""The questions about whole groups that the options ask for."""

from __future__ import annotations

from collections.abc import Sequence

from diversity_judge.errors import InputError
from diversity_judge.inputs.references import reference_approaches
from diversity_judge.inputs.responses import Group
from diversity_judge.planning.groups import GroupPlan
from diversity_judge.planning.sorting import SortingPlan, plan_sortings
from diversity_judge.scoring.options import ScoreOptions


def wanted_sortings(options: ScoreOptions, groups: Sequence[Group], plans: Sequence[GroupPlan]) -> list[SortingPlan]:
    """What is to be asked about each group.

    Args:
        options: Whether the judge sorts, and whether it is asked about lists of approaches.
        groups: Of the input; a problem's list may stand in any of them.
        plans: The groups that are scored.

    Raises:
        InputError: it is to be asked about lists, and there is none, or one is broken.
    """
    lists = reference_approaches(groups) if options.reference_approaches else {}
    if options.reference_approaches and not lists:
        raise InputError(
            "--reference-approaches: no problem carries a list; give its responses 'reference_approaches', a list of "
            "texts, beside the response or in meta"
        )
    return plan_sortings(plans, approaches=options.clusters == "judge", references=lists)
