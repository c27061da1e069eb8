"""What an agreement leaves in its folder besides the figure: two tables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from diversity_judge.agreeing.result import JudgeAgreement
from diversity_judge.errors import RunError
from diversity_judge.measures.agreement import Agreement, confusion
from diversity_judge.measures.uncertainty import Estimate
from diversity_judge.runs import layout as run_folder
from diversity_judge.scoring.tables import Row, write_csv

AGREEMENT = "agreement.csv"
CONFUSION = "confusion.csv"
FIGURE = "agreement.png"

STRATEGY, POOLED = "strategy", "pooled"
"""What the column `scope` says: any text can be the name of a strategy, so the name alone would not tell."""


def write_tables(folder: Path, found: JudgeAgreement) -> None:
    """Write agreement.csv and confusion.csv; the folder is made.

    Raises:
        RunError: the disk does not take them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in ((AGREEMENT, agreement_rows(found)), (CONFUSION, confusion_rows(found))):
            run_folder.write_whole(folder / name, partial(write_csv, rows))
    except OSError as error:
        raise RunError(f"{folder}: cannot write the tables: {error}") from error


def agreement_rows(found: JudgeAgreement) -> Iterator[Row]:
    """One row a strategy, and last all together."""
    for row in found.rows:
        yield {
            "scope": POOLED if row.strategy is None else STRATEGY,
            "strategy": row.strategy,
            **_counts(row),
            "exact_agreement": row.exact,
            **_with_interval("kappa", row.kappa),
            "kappa_asked": row.kappa_asked,
            **_with_interval("spearman", row.spearman),
            "kendall_tau_b": row.kendall,
            "mean_absolute_error": row.mean_absolute_error,
            "score_bias": row.score_bias,
            **_with_interval("diversity_bias", row.diversity_bias),
            "diversity_spearman": row.diversity_spearman,
            "judge": found.tested.judge,
            "reference": found.reference.judge,
        }


def confusion_rows(found: JudgeAgreement) -> Iterator[Row]:
    """One row a score of the tested judge, one column a score of the reference: number of pairs."""
    for score, counts in enumerate(confusion(found.groups)):
        yield {"score": score, **{f"reference_{other}": int(count) for other, count in enumerate(counts)}}


def _counts(row: Agreement) -> Row:
    return {
        "n_problems": row.n_problems,
        "n_pairs": row.n_pairs,
        "n_left_out": row.n_left_out,
        "n_without_score": row.n_without_tested,
        "n_without_reference": row.n_without_reference,
        "n_unasked": row.n_unasked,
    }


def _with_interval(name: str, estimate: Estimate) -> Row:
    return {name: estimate.value, f"{name}_ci_low": estimate.low, f"{name}_ci_high": estimate.high}
