"""Sample responses from a language model by token sampling or by Expert-Sample routing.

In Python: `sample(SampleOptions(problems="problems.jsonl", model="..."))`. What is named here is imported when it is
first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generation.sample_options import SampleOptions as SampleOptions
    from generation.sampling import SamplingResult as SamplingResult
    from generation.sampling import sample as sample

_HOMES = {
    "SampleOptions": "generation.sample_options",
    "SamplingResult": "generation.sampling",
    "sample": "generation.sampling",
}


def __getattr__(name: str) -> Any:
    """The public names, each imported when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
