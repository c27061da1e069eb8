"""`report.html`: one file that shows a comparison to a colleague, offline and with nothing loaded from outside.

    comparison -> content (what the page shows) -> packing (texts made small) -> page (one HTML file)

Responses and judge replies are strangers' texts. Three walls stand between them and the reader's browser: texts are
data (JSON and compressed bytes) and never markup; the page's own script puts them in as text nodes only; and a
content security policy allows no script but the page's own, by hash, and no connection at all.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from diversity_judge.errors import InputError, RunError

if TYPE_CHECKING:
    from diversity_judge.comparing.result import Comparison

_NEEDED = ("jinja2", "latex2mathml")
DEFAULT_MEGABYTES = 11.0


def what_is_missing() -> str | None:
    """What the report needs and is not installed, as a sentence that says how to get it; None where all is there."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    return f"report.html needs {', '.join(missing)}: pip install 'diversity-judge[report]'" if missing else None


def check_installed() -> None:
    """Make sure that the report can be written, before any work is done.

    Raises:
        InputError: a library is missing; the message says how to get it.
    """
    if reason := what_is_missing():
        raise InputError(reason)


def write_report(comparison: Comparison, path: Path, *, megabytes: float = DEFAULT_MEGABYTES) -> Path:
    """Write the report.

    Args:
        comparison: What was found.
        path: The file.
        megabytes: Its largest size (10^6 bytes); the longest texts are cut, and marked as cut, until it fits.

    Returns:
        The file.

    Raises:
        InputError: a library is missing, or the report cannot be that small.
        RunError: it cannot be written.
    """
    check_installed()
    from diversity_judge.files import write_whole
    from diversity_judge.report.page import render

    html = render(comparison, megabytes=megabytes)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda temporary: temporary.write_bytes(html))
    except OSError as error:
        raise RunError(f"{path}: cannot write the report: {error}") from error
    return path
