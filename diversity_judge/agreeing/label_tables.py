"""The rows of the tables that labels of people add to an agreement."""

from __future__ import annotations

from collections.abc import Iterator

from diversity_judge.agreeing.labelled import JUDGE, AmongPeople, LabelAgreement
from diversity_judge.agreeing.tables import POOLED, STRATEGY, with_interval
from diversity_judge.files import Row


def binary_rows(found: LabelAgreement) -> Iterator[Row]:
    """One row a strategy, and last all together: similar or not."""
    for row in found.binary:
        yield {
            "scope": POOLED if row.strategy is None else STRATEGY,
            "strategy": row.strategy,
            "n_problems": row.n_problems,
            "n_pairs": row.n_pairs,
            "n_similar": row.n_similar,
            **with_interval("auc", row.auc),
            "threshold": row.threshold,
            "threshold_low": row.threshold_low,
            "threshold_high": row.threshold_high,
            "threshold_share": row.threshold_share,
            "sensitivity": row.sensitivity,
            "specificity": row.specificity,
            "accuracy": row.accuracy,
            **with_interval("balanced_accuracy", row.balanced_accuracy),
            "optimism": row.optimism,
            "balanced_accuracy_corrected": row.corrected,
            "judge": found.tested.judge,
            "reference": found.reference.judge,
        }


def rater_rows(people: AmongPeople) -> Iterator[Row]:
    """One row each two of judge and people."""
    for pair in people.pairs:
        yield {
            "one": pair.one,
            "other": pair.other,
            "kind": "judge and person" if pair.one == JUDGE else "person and person",
            "n_pairs": pair.n,
            **with_interval("exact_agreement", pair.exact),
            **with_interval("within_one", pair.within_one),
            **with_interval("kappa", pair.kappa),
            **with_interval("bias", pair.bias),
        }


def test_rows(people: AmongPeople) -> Iterator[Row]:
    """One row a person who was left out, and last all together: omega and rho."""
    test = people.test
    for person in test.people:
        yield {
            "scope": "person",
            "annotator": person.annotator,
            "n_pairs": person.n_pairs,
            "n_problems": person.n_problems,
            "judge_wins": person.judge_wins,
            "person_wins": person.person_wins,
            "p": person.p,
            "is_won": person.is_won,
            "omega": None,
            "rho": None,
            "epsilon": test.epsilon,
            "reason": None,
        }
    yield {
        "scope": POOLED,
        "annotator": None,
        **dict.fromkeys(("n_pairs", "n_problems", "judge_wins", "person_wins", "p")),
        "is_won": test.passes,
        "omega": test.omega,
        "rho": test.rho,
        "epsilon": test.epsilon,
        "reason": test.reason or None,
    }
