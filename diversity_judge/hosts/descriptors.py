"""How many calls at a time the limit on open files allows: a call needs a connection, and a connection a descriptor."""

from __future__ import annotations

import os
import resource

_FOR_EVERYTHING_ELSE = 24
"""The ledger with its log, certificates, look-ups of names, tables, pictures, modules that are still to be imported."""


def soft_limit() -> int | None:
    """The most descriptors that this process may have open; None for no limit."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def fitting_concurrency(wanted: int) -> tuple[int, str | None]:
    """The calls at a time that the limit allows, and a sentence where they are fewer than wanted."""
    limit = soft_limit()
    if limit is None:
        return wanted, None
    fitting = max(1, limit - len(os.listdir("/dev/fd")) - _FOR_EVERYTHING_ELSE)
    if fitting >= wanted:
        return wanted, None
    return fitting, (
        f"{fitting} calls at a time instead of {wanted}: this process may have only {limit} files open "
        "(descriptors); raise the limit with ulimit -n"
    )
