"""What an agreement with people leaves in its folder: tables, the figure, and a manifest."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diversity_judge import __version__
from diversity_judge.agreeing.files import AGREEMENT, CONFUSION, FIGURE, MANIFEST
from diversity_judge.agreeing.label_tables import binary_rows, rater_rows, test_rows
from diversity_judge.agreeing.labelled import LabelAgreement
from diversity_judge.agreeing.tables import agreement_rows, confusion_rows
from diversity_judge.errors import RunError
from diversity_judge.files import Row, finite_or_none, write_csv
from diversity_judge.runs.replacing import replacing

BINARY = "binary.csv"
RATERS = "raters.csv"
ALT_TEST = "alt_test.csv"


@contextlib.contextmanager
def writing(folder: Path, found: LabelAgreement) -> Iterator[None]:
    """Write the tables and agree.json, and inside this the figure, in the place of what an earlier agreement left.

    Raises:
        RunError: the disk does not take them.
    """
    tables: dict[str, Iterator[Row]] = {}
    if found.scores is not None:
        tables |= {AGREEMENT: agreement_rows(found.scores), CONFUSION: confusion_rows(found.scores)}
    if found.binary:
        tables[BINARY] = binary_rows(found)
    if found.people is not None:
        tables |= {RATERS: rater_rows(found.people), ALT_TEST: test_rows(found.people)}
    with replacing(folder, _manifest(found), sure=(*tables, FIGURE), manifest=MANIFEST):
        try:
            for name, rows in tables.items():
                write_csv(folder / name, rows)
        except OSError as error:
            raise RunError(f"{folder}: cannot write the tables: {error}") from error
        yield


def _manifest(found: LabelAgreement) -> dict[str, Any]:
    people = found.people
    return {
        "tool": {"diversity_judge": __version__, "python": platform.python_version()},
        "tested": {"path": str(found.tested.path), "instrument": asdict(found.tested.instrument)},
        "reference": {"path": str(found.reference.path), "annotators": list(found.labelled.annotators)},
        "n_pairs": len(found.labelled.pairs),
        "n_unknown": found.labelled.n_unknown,
        "alpha_people": None if people is None else finite_or_none(people.alpha.value),
        "alpha_people_and_judge": None if people is None else finite_or_none(people.alpha_with_judge.value),
        "sentences": list(found.sentences),
        "notes": list(found.notes),
    }
