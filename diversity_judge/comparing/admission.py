"""Which runs may stand in one comparison.

Scores of two instruments (`runs.instrument`) are refused unless the user insists: a difference between strategies would
be mixed with a difference between instruments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from diversity_judge.errors import InputError
from diversity_judge.runs.instrument import differences
from diversity_judge.runs.loading import Run, RunGroup
from diversity_judge.text_safety import printable


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
    judged = [run for run in runs if run.is_judged]
    mixed = (*_mixed(judged), *_mixed_sortings(judged))
    if mixed and not allow_mixed:
        raise InputError(
            "these runs are not measured with one instrument:\n"
            + "\n".join(f"  {sentence}" for sentence in mixed)
            + "\nScore them alike, or give --allow-mixed if you know that the difference does not matter"
        )
    return mixed


def _mixed(runs: Sequence[Run]) -> Iterator[str]:
    """What differs between the instruments of some runs, one sentence a part."""
    instruments = {run: run.instrument for run in runs}
    words = {change.word for one, other in pairwise(instruments.values()) for change in differences(one, other)}
    for word in dict.fromkeys(word for instrument in instruments.values() for word in instrument.shown()):
        if word in words:
            places: dict[str, list[str]] = {}
            for run, instrument in instruments.items():
                places.setdefault(instrument.shown()[word], []).append(str(run.path))
            parts = (f"{found} in {', '.join(paths)}" for found, paths in places.items())
            yield printable(f"different {word}: {'; '.join(parts)}")


def _mixed_sortings(runs: Sequence[Run]) -> Iterator[str]:
    """Questions about whole groups that were asked in different prompts; a version of this package has one each."""
    asked: dict[str, dict[str, list[str]]] = {}
    for run in runs:
        for name, prompt in _prompts(run).items():
            asked.setdefault(name, {}).setdefault(prompt["sha256"], []).append(str(run.path))
    for name, places in asked.items():
        if len(places) > 1:
            parts = (f"{digest[:8]} in {', '.join(paths)}" for digest, paths in places.items())
            yield printable(f"different prompt of {name}: {'; '.join(parts)}")


def _prompts(run: Run) -> Mapping[str, Mapping[str, str]]:
    return (run.manifest.get("sortings") or {}).get("prompts") or {}


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
