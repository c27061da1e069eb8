"""Which runs may stand in one comparison.

Two judges, two prompts or one order against both are different measuring instruments: a difference between
strategies would be mixed with a difference between instruments. Such runs are refused unless the user insists.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from diversity_judge.errors import InputError
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.text_safety import printable

_INSTRUMENT: dict[str, Callable[[Run], Any]] = {
    "judge": lambda run: run.judge,
    "prompt": lambda run: (run.prompt, run.manifest["prompt"].get("sha256")),
    "orders": lambda run: run.manifest["design"]["orders"],
    "view": lambda run: run.manifest["showing"]["view"],
    "truncation": lambda run: run.manifest["showing"]["truncate_tokens"],
}
"""What makes a score what it is, by the word that the message uses. Draws and thinning change its noise only."""


def admit(runs: Sequence[Run], *, allow_mixed: bool) -> tuple[str, ...]:
    """Check that the runs measure with one instrument, and that no group stands in two of them.

    Returns:
        What is mixed, one sentence each, where that is allowed.

    Raises:
        InputError: something is mixed and that is not allowed; or two runs hold the same group; or there is none.
    """
    if not any(run.groups for run in runs):
        raise InputError("no run to compare; name at least one run folder of score or one file of responses")
    _refuse_twins(runs)
    mixed = tuple(_mixed([run for run in runs if run.is_judged]))
    if mixed and not allow_mixed:
        raise InputError(
            "these runs are not measured with one instrument:\n"
            + "\n".join(f"  {sentence}" for sentence in mixed)
            + "\nScore them alike, or give --allow-mixed if you know that the difference does not matter"
        )
    return mixed


def _mixed(runs: Sequence[Run]) -> list[str]:
    sentences = []
    for word, value in _INSTRUMENT.items():
        values: dict[str, list[str]] = {}
        for run in runs:
            values.setdefault(_shown(value(run)), []).append(str(run.path))
        if len(values) > 1:
            parts = (f"{found} in {', '.join(paths)}" for found, paths in values.items())
            sentences.append(printable(f"different {word}: {'; '.join(parts)}"))
    return sentences


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(str(part)[:60] for part in value if part)
    return value if isinstance(value, str) else json.dumps(value)


def _refuse_twins(runs: Sequence[Run]) -> None:
    places: dict[tuple[str, str], Run] = {}
    for run in runs:
        for group in run.groups:
            other = places.setdefault(_key(group), run)
            if other is not run:
                raise InputError(
                    printable(
                        f"{other.path} and {run.path} both hold {group.problem_id} / {group.strategy}; give the "
                        f"strategies of one of them another name, as in NAME={run.path}"
                    )
                )


def _key(group: RunGroup) -> tuple[str, str]:
    return group.problem_id, group.strategy
