"""Replacing vLLM's functions, where it offers no hook of its own.

All replacements go through here, so that `register` may run any number of times in a process (vLLM says it
may) and a moved function is reported by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_MARK = "_expert_sample_original"


def replace(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Set `owner.name` to `make(original)`, once.

    Args:
        owner: a module or a class, whose own function or a base's is replaced.
        name: attribute that holds the function.
        make: gets the original function and returns the one to call instead.

    Raises:
        RuntimeError: `owner` has no such function, because vLLM moved it.
    """
    original = getattr(owner, name, None)
    if original is None:
        raise RuntimeError(f"Expert-Sample can't be installed: vLLM has no {owner.__name__}.{name} any more.")
    if hasattr(original, _MARK):
        return
    replacement = make(original)
    setattr(replacement, _MARK, original)
    setattr(owner, name, replacement)
