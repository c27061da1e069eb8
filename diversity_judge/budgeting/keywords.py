"""From the names of the options to one `PlanOptions`: of the command line and of Python alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from diversity_judge.budgeting.options import Counts, PlanOptions
from diversity_judge.command import refuse_unknown_options
from diversity_judge.errors import InputError
from diversity_judge.inputs.in_memory import Given
from diversity_judge.scoring.keywords import NAMES as SCORE_NAMES
from diversity_judge.scoring.keywords import make_options

_COUNTS = {"problems": "problems", "n_responses": "responses", "n_strategies": "strategies", "tokens": "tokens"}
"""Option to the field of `Counts` that it fills."""
_NAMED = {"for_": "level", "correct_only": "part", "complete_only": "part"}
_OWN = ("target_width", "detect", "budget", "pilot", "surrogate_r2", "comparisons")
_NOT_OF_A_PLAN = {
    "pairs_per_group",
    "draws",
    "all_pairs",
    "out",
    "ledger",
    "offline",
    "dry_run",
    "overwrite",
    "heatmaps",
}
_SHARED = tuple(name for name in SCORE_NAMES if name not in _NOT_OF_A_PLAN)
NAMES = (*_COUNTS, *_NAMED, *_OWN, *_SHARED)
"""Of all options in Python."""
_UNNAMED = "responses.jsonl"
"""What command lines call a file that does not exist yet."""


def make_plan_options(responses: Given | None, given: Mapping[str, Any]) -> PlanOptions:
    """One value of options.

    Args:
        responses: What would be scored; None where there are only counts.
        given: The options by name; None is the default.

    Raises:
        InputError: there is no such option, or it cannot be meant; or there are both responses and counts, or neither.
    """
    refuse_unknown_options(given, NAMES)
    values = {name: value for name, value in given.items() if value is not None}
    counts = _counts(responses, values)
    parts = [part for part in ("correct", "complete") if values.pop(f"{part}_only", False)]
    if len(parts) > 1:
        raise InputError("--correct-only and --complete-only are two parts of the responses: give one")
    own = {name: values.pop(name) for name in _OWN if name in values}
    if "for_" in values:
        own["level"] = values.pop("for_")
    if parts:
        own["part"] = parts[0]
    return PlanOptions(make_options(_UNNAMED if responses is None else responses, **values), counts, **own)


def _counts(responses: Given | None, values: dict[str, Any]) -> Counts | None:
    found = {field: values.pop(name) for name, field in _COUNTS.items() if name in values}
    if responses is not None:
        if found:
            raise InputError(
                "a study is planned from a file of responses or from counts (--problems ...), not from both"
            )
        return None
    missing = [f"--{field.name}" for field in fields(Counts)[:2] if field.name not in found]
    if missing:
        raise InputError(f"name a file of responses, or say how many there will be: {' and '.join(missing)} is missing")
    return Counts(**found)
