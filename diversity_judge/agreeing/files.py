"""What an agreement leaves in its folder: two tables, the figure, and a manifest."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.agreeing.result import JudgeAgreement
from diversity_judge.agreeing.tables import agreement_rows, confusion_rows
from diversity_judge.errors import RunError
from diversity_judge.files import write_csv
from diversity_judge.runs.replacing import replacing

AGREEMENT = "agreement.csv"
CONFUSION = "confusion.csv"
FIGURE = "agreement.png"
MANIFEST = "agree.json"


@contextlib.contextmanager
def writing(folder: Path, found: JudgeAgreement) -> Iterator[None]:
    """Write agreement.csv, confusion.csv and agree.json, and inside this the figure, in the place of earlier ones.

    Raises:
        RunError: the disk does not take them.
    """
    with replacing(folder, manifest(found), sure=(AGREEMENT, CONFUSION, FIGURE), manifest=MANIFEST):
        try:
            write_csv(folder / AGREEMENT, agreement_rows(found))
            write_csv(folder / CONFUSION, confusion_rows(found))
        except OSError as error:
            raise RunError(f"{folder}: cannot write the tables: {error}") from error
        yield


def manifest(found: JudgeAgreement) -> dict[str, Any]:
    """What agree.json holds: JSON by nature, so a mapping."""
    return {
        "tool": {"diversity_judge": __version__, "python": platform.python_version()},
        "tested": {"path": str(found.tested.path), "instrument": asdict(found.tested.instrument)},
        "reference": {
            "path": str(found.reference.path),
            "instrument": None if found.reference.instrument is None else asdict(found.reference.instrument),
        },
        "sentence": found.sentence,
        "notes": list(found.notes),
    }
