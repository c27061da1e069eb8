"""The tables that a panel adds to the run folder of its mean."""

from __future__ import annotations

from collections.abc import Iterator

from diversity_judge.files import Row
from diversity_judge.measures.intervals import Estimate
from diversity_judge.measures.judge_variance import COMPONENTS
from diversity_judge.pooling.result import Panel, Together

AGREEMENT = "panel_agreement.csv"
VARIANCE = "panel_variance.csv"
DIVERSITY = "panel_diversity.csv"
STRATEGY, POOLED = "strategy", "pooled"
ALL = "all judges"


def agreement_rows(panel: Panel) -> Iterator[Row]:
    """One row each two judges, and one of all (alpha), by strategy and pooled."""
    for row in panel.rows:
        for pair in row.pairs:
            yield {
                **_scope(row),
                "one": pair.one,
                "other": pair.other,
                "n_pairs": pair.n,
                **_estimate("exact_agreement", pair.exact),
                **_estimate("within_one", pair.within_one),
                **_estimate("kappa", pair.kappa),
                **_estimate("bias", pair.bias),
                **dict.fromkeys(("alpha", "alpha_ci_low", "alpha_ci_high")),
            }
        empty = dict.fromkeys(
            f"{name}{end}"
            for name in ("exact_agreement", "within_one", "kappa", "bias")
            for end in ("", "_ci_low", "_ci_high")
        )
        yield {
            **_scope(row),
            "one": ALL,
            "other": None,
            "n_pairs": row.variance.n_pairs,
            **empty,
            **_estimate("alpha", row.alpha),
        }


def variance_rows(panel: Panel) -> Iterator[Row]:
    """One row a component, by strategy and pooled."""
    for row in panel.rows:
        for name in COMPONENTS:
            yield {
                **_scope(row),
                "component": name,
                **_estimate("variance", row.variance.components[name]),
                "share": row.variance.share(name),
                "n_pairs": row.variance.n_pairs,
                "n_judges": row.variance.n_judges,
            }


def diversity_rows(panel: Panel) -> Iterator[Row]:
    """One row a judge, by strategy and pooled: its diversity, from the pairs that all judges scored."""
    for row in panel.rows:
        for name, found in zip(panel.names, row.diversities, strict=True):
            yield {**_scope(row), "judge": name, **_estimate("diversity", found), "n_problems": found.n}


def _scope(row: Together) -> Row:
    return {"scope": POOLED if row.strategy is None else STRATEGY, "strategy": row.strategy}


def _estimate(name: str, estimate: Estimate) -> Row:
    return {name: estimate.value, f"{name}_ci_low": estimate.low, f"{name}_ci_high": estimate.high}
