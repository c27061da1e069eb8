"""What a person reads on the console of a judge held against people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from diversity_judge.agreeing.console import agreement_columns, print_ending
from diversity_judge.agreeing.labelled import AmongPeople, LabelAgreement
from diversity_judge.measures.binary_labels import BinaryAgreement
from diversity_judge.measures.intervals import Estimate
from diversity_judge.terminal import Column, print_table
from diversity_judge.text_safety import printable
from diversity_judge.wording import interval, number

_NAME_WIDTH = 40
_POOLED = "all together"


def print_label_agreement(console: Console, found: LabelAgreement, written: Sequence[Path]) -> None:
    """Everything, in the order in which one wants to know it.

    Args:
        console: Where to.
        found: The agreement.
        written: What was written.
    """
    facts = (
        f"tested: {found.tested.judge}; prompt: {found.tested.prompt}",
        f"reference: {found.reference.judge}",
    )
    if found.scores is not None:
        told = (*facts, "bias: judge minus people's mean; 95 % intervals over problems")
        print_table(console, "Agreement with people", told, agreement_columns(found.scores.rows))
    if found.binary:
        told = (*facts, "corrected: without what choosing the threshold on these pairs gains; intervals over problems")
        print_table(console, "Similar or not: agreement with people", told, _binary_columns(found.binary))
    if found.people is not None:
        _print_people(console, found.people)
    print_ending(console, found.sentences, found.notes, written)


def _binary_columns(rows: Sequence[BinaryAgreement]) -> tuple[Column, ...]:
    names = [_POOLED if row.strategy is None else printable(row.strategy, limit=_NAME_WIDTH) for row in rows]
    return (
        Column("strategy", names, is_name=True),
        Column("pairs", [f"{row.n_pairs:,}" for row in rows]),
        Column("similar", [f"{row.n_similar:,}" for row in rows]),
        Column("AUC", [_shown(row.auc) for row in rows]),
        Column("similar from", [number(row.threshold, 1) for row in rows]),
        Column("balanced accuracy", [_shown(row.balanced_accuracy) for row in rows]),
        Column("corrected", [number(row.corrected) for row in rows]),
    )


def _print_people(console: Console, people: AmongPeople) -> None:
    pairs = people.pairs
    facts = (
        f"Krippendorff's alpha: people {_shown(people.alpha)}",
        f"people and judge {_shown(people.alpha_with_judge)}",
    )
    columns = (
        Column("one", [printable(pair.one, limit=_NAME_WIDTH) for pair in pairs], is_name=True),
        Column("other", [printable(pair.other, limit=_NAME_WIDTH) for pair in pairs], is_name=True),
        Column("pairs", [f"{pair.n:,}" for pair in pairs]),
        Column("equal", [_shown(pair.exact) for pair in pairs]),
        Column("within 1", [number(pair.within_one.value) for pair in pairs]),
        Column("kappa", [_shown(pair.kappa) for pair in pairs]),
        Column("bias", [number(pair.bias.value, 2, signed=True) for pair in pairs]),
    )
    print_table(console, "The judge and each person, and people among themselves", facts, columns)


def _shown(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)
