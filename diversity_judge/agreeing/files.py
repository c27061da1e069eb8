"""What an agreement leaves in its folder besides the figure: two tables."""

from __future__ import annotations

from pathlib import Path

from diversity_judge.agreeing.result import JudgeAgreement
from diversity_judge.agreeing.tables import agreement_rows, confusion_rows
from diversity_judge.errors import RunError
from diversity_judge.files import write_csv

AGREEMENT = "agreement.csv"
CONFUSION = "confusion.csv"
FIGURE = "agreement.png"


def write_tables(folder: Path, found: JudgeAgreement) -> None:
    """Write agreement.csv and confusion.csv; the folder is made.

    Raises:
        RunError: the disk does not take them.
    """
    try:
        write_csv(folder / AGREEMENT, agreement_rows(found))
        write_csv(folder / CONFUSION, confusion_rows(found))
    except OSError as error:
        raise RunError(f"{folder}: cannot write the tables: {error}") from error
