"""How many processors there are for this process, and how long they have computed for it."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from contextlib import AbstractContextManager

from generation import environment

ONE_THREAD: Mapping[str, str] = {"OMP_NUM_THREADS": "1"}
"""The environment of a process whose matrices are small: more threads would do nothing but wait for each other."""


def one_thread() -> AbstractContextManager[None]:
    """What starts in here multiplies matrices in one thread."""
    return environment.changed(ONE_THREAD)


def cores() -> int:
    """Those that it may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_seconds() -> float:
    """Seconds that processors have computed for this process and for those of its children that have ended.

    Unlike the time that has passed, it does not depend on what else runs on the machine.
    """
    used = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
