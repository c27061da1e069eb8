"""The rows of an agreement's two tables."""

from __future__ import annotations

from collections.abc import Iterator

from diversity_judge.agreeing.result import JudgeAgreement
from diversity_judge.files import Row
from diversity_judge.measures.agreement import Agreement, confusion
from diversity_judge.measures.intervals import Estimate

STRATEGY, POOLED = "strategy", "pooled"
"""What the column `scope` says: any text can be the name of a strategy, so the name alone would not tell."""


def agreement_rows(found: JudgeAgreement) -> Iterator[Row]:
    """One row a strategy, and last all together."""
    for row in found.rows:
        yield {
            "scope": POOLED if row.strategy is None else STRATEGY,
            "strategy": row.strategy,
            **_counts(row),
            "exact_agreement": row.exact,
            **with_interval("kappa", row.kappa),
            "kappa_asked": row.kappa_asked,
            **with_interval("spearman", row.spearman),
            "kendall_tau_b": row.kendall,
            "mean_absolute_error": row.mean_absolute_error,
            "score_bias": row.score_bias,
            **with_interval("diversity_bias", row.diversity_bias),
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


def with_interval(name: str, estimate: Estimate) -> Row:
    """A value and the ends of its interval, as three columns."""
    return {name: estimate.value, f"{name}_ci_low": estimate.low, f"{name}_ci_high": estimate.high}
