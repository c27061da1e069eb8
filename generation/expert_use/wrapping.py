"""Methods of single objects replaced by others that watch them, until they are put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Method = Callable[..., Any]


class Wrappings:
    """What was replaced so far, so that it can be undone."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, Method | None]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Method], Method]) -> None:
        """Set `owner.name` to `make(original)`, for this object alone."""
        self._replaced.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, make(getattr(owner, name)))

    def undo(self) -> None:
        """Put back what stood there, the last one first."""
        while self._replaced:
            owner, name, own = self._replaced.pop()
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
