"""Where a run keeps its responses, and how they are read back for each of its experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Group, Response
from diversity_judge.runs.loading import Run, RunGroup
from examples.miniature.plan import Size

STEPS = "steps.jsonl"
"""What was run, how long it took, and how long the processors computed meanwhile, for all that ran beside it too.

Each step also says which start of the command it was of, and how long that had taken when the step ended.
"""
LEARNED = "learned/main.jsonl"
"""The responses of the main experiment, with the rewards of the reward model."""

SECOND = "second/main.jsonl"
"""The responses of the second model."""
SECOND_ROUTING = "second/routing"
"""What its routers do."""


def file_of(size: Size, n_problems: int) -> str:
    """The file of the strategies that are sampled for so many problems."""
    return "main.jsonl" if n_problems == size.problems else f"first_{n_problems}.jsonl"


def active_file(active: int) -> str:
    """The file of another number of active experts."""
    return f"routing/active_{active}.jsonl"


def active_name(active: int) -> str:
    """What a number of active experts is called where it is compared as a strategy."""
    return f"{active} active"


def sampled(folder: Path, size: Size) -> dict[str, list[Group]]:
    """Strategy -> its groups, of all that was sampled with the model's own number of active experts."""
    return _by_strategy([folder / file_of(size, n_problems) for n_problems in size.strategies()])


def active(folder: Path, number: int) -> dict[str, list[Group]]:
    """The same of another number of active experts."""
    return _by_strategy([folder / active_file(number)])


def second(folder: Path) -> dict[str, list[Group]]:
    """The same of the second model."""
    return _by_strategy([folder / SECOND])


def of(groups: Mapping[str, Sequence[Group]], strategies: Sequence[str], *, limit: int | None = None) -> list[Response]:
    """The responses of some strategies to the first problems, in order of problems, strategies and samples."""
    wanted = sorted(
        (group for strategy in strategies for group in groups[strategy]),
        key=lambda group: (group.problem_id, strategies.index(group.strategy)),
    )
    first = set(sorted({group.problem_id for group in wanted})[:limit])
    return [response for group in wanted if group.problem_id in first for response in group.responses]


def unjudged(groups: Sequence[Group]) -> Run:
    """A run of responses alone, to compare their outcomes."""
    return Run(Path(), tuple(map(RunGroup, groups)))


def with_active(by_active: Mapping[int, Mapping[str, Sequence[Group]]], strategy: str) -> Run:
    """One strategy with each number of active experts, as if these were the strategies."""
    return unjudged([_renamed(g, active_name(n)) for n in sorted(by_active) for g in by_active[n][strategy]])


def _by_strategy(files: Sequence[Path]) -> dict[str, list[Group]]:
    """Problems and samples in their order: the files have them as they were finished, another order each time.

    A mean's last digit and the draws of a permutation test depend on it.
    """
    found: dict[str, list[Group]] = {}
    for file in files:
        for group in sorted(read_responses(file).groups, key=lambda group: group.problem_id):
            ordered = sorted(group.responses, key=lambda response: int(response.sample_id))
            found.setdefault(group.strategy, []).append(replace(group, responses=tuple(ordered)))
    return found


def _renamed(group: Group, strategy: str) -> Group:
    return replace(group, strategy=strategy, responses=tuple(replace(r, strategy=strategy) for r in group.responses))
