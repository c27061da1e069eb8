"""Calls that a host may be answering as a batch: whoever buys them too pays twice."""

from __future__ import annotations

import shlex
from pathlib import Path

from diversity_judge.display import counted
from diversity_judge.engine.workload import Workload
from diversity_judge.errors import InputError
from diversity_judge.judges.base import Judge
from diversity_judge.runs.batches import keys_on_their_way


def refuse_what_is_on_its_way(folder: Path | None, workload: Workload, judge: Judge) -> None:
    """Refuse to buy what a submitted batch of this run folder will bring.

    Raises:
        InputError: there is such a batch; nothing was sent.
    """
    keys = keys_on_their_way(folder) if folder is not None else frozenset()
    n = sum(task.key in keys for task in workload.tasks(judge)) if keys else 0
    if n:
        where = shlex.quote(str(folder))
        raise InputError(
            f"{counted(n, 'call')} of this run are on their way as a batch, and would be paid twice: first get them "
            f"(python -m diversity_judge.batch fetch {where}) or end them (python -m diversity_judge.batch cancel "
            f"{where})"
        )
