"""What Python functions take for a run: one that was read, a result that holds one, or where one lies."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol, TypeAlias, runtime_checkable

from diversity_judge.errors import InputError
from diversity_judge.inputs.responses import PathLike
from diversity_judge.runs.loading import Run, load_run


@runtime_checkable
class HoldsRun(Protocol):
    """A result from which a run can be had, as that of `score`."""

    @property
    def run(self) -> Run:
        """The run."""
        ...


RunLike: TypeAlias = Run | HoldsRun | PathLike


def as_run(source: RunLike) -> Run:
    """The run that is meant.

    Args:
        source: A run, a result that holds one, a run folder, or a file of responses.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    if isinstance(source, Run):
        return source
    if isinstance(source, str | os.PathLike):
        return load_run(source)
    if isinstance(source, HoldsRun):
        return source.run
    raise InputError(
        f"a run is wanted, not a value of the type {type(source).__name__}: give a Run, the result of score, or the "
        "path of a run folder"
    )


def as_runs(sources: RunLike | Iterable[RunLike]) -> list[Run]:
    """The runs that are meant; one alone need not stand in a list.

    Raises:
        InputError: one is no run, or cannot be read.
    """
    if isinstance(sources, Run | str | os.PathLike | HoldsRun) or not isinstance(sources, Iterable):
        return [as_run(sources)]
    return [as_run(source) for source in sources]
