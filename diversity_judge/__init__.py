"""Process diversity of language-model reasoning, measured by pairwise LLM judgments.

    responses -> pairs -> prompting -> judges -> ledger/engine -> matrix -> uncertainty -> plots/report

A module may import from what stands to its left in this line, never from its right.

In Python: `load_run(folder)` reads a finished run, `compare([run, ...])` puts strategies beside each other. Both are
imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diversity_judge.compare import compare as compare
    from diversity_judge.runs.loading import Run as Run
    from diversity_judge.runs.loading import load_run as load_run

__version__ = "0.1.0"

_HOMES = {
    "Run": "diversity_judge.runs.loading",
    "load_run": "diversity_judge.runs.loading",
    "compare": "diversity_judge.compare",
}


def __getattr__(name: str) -> Any:
    """The public functions, each imported when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
