"""The approaches that are known to lead to a problem's solution, where its responses carry a list of them.

The list stands as `reference_approaches` beside a response or in its `meta`, on one response of the problem or on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import Group
from diversity_judge.text_safety import printable

REFERENCE_APPROACHES = "reference_approaches"


def reference_approaches(groups: Sequence[Group]) -> Mapping[str, tuple[str, ...]]:
    """Problem to its list, for the problems that carry one.

    Raises:
        InputError: a list is none, holds what is no approach or one twice, or differs from another of its problem.
    """
    found: dict[str, tuple[str, ...]] = {}
    for group in groups:
        for response in group.responses:
            if (value := response.meta.get(REFERENCE_APPROACHES)) is None:
                continue
            place = f"{printable(group.problem_id, 60)} / sample {printable(str(response.sample_id), 40)}"
            approaches = _checked(value, place)
            if found.setdefault(group.problem_id, approaches) != approaches:
                raise InputError(
                    f"{place}: {REFERENCE_APPROACHES} differ from those of another response to the problem; give all "
                    "the same list, or only one of them"
                )
    return found


def _checked(value: object, place: str) -> tuple[str, ...]:
    wanted = f"{place}: {REFERENCE_APPROACHES} must be a list of texts, one an approach"
    if not isinstance(value, list | tuple) or not value:
        raise InputError(f"{wanted}, not {printable(repr(value), 40)}")
    for text in value:
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{wanted}; {printable(repr(text), 40)} is none")
    approaches = tuple(text.strip() for text in value)
    if len(set(approaches)) < len(approaches):
        raise InputError(f"{place}: {REFERENCE_APPROACHES} hold an approach twice")
    return approaches
