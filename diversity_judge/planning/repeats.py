"""Pairs with the same two texts in the same order have one key: one judgment serves them all, and is bought once.

They occur within a group that holds a text twice, and between groups: two strategies can give the same two responses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from diversity_judge.planning.groups import GroupPlan


def needs_judgment(plans: Sequence[GroupPlan], fingerprints: Sequence[str]) -> list[NDArray[np.bool_]]:
    """Which pairs need a judgment of their own: neither of identical texts nor the repeat of an earlier pair.

    No key is made, and only the rows in which a repeat can stand are gone through: a large group without equal texts
    costs nothing.

    Args:
        plans: The groups.
        fingerprints: The judge's, one a group.

    Returns:
        One (pairs,) array a group, in the order of its plan.
    """
    needed = [plan.needs_call() for plan in plans]
    by_fingerprint: dict[str, list[int]] = defaultdict(list)
    for group, fingerprint in enumerate(fingerprints):
        by_fingerprint[fingerprint].append(group)
    for groups in by_fingerprint.values():
        _leave_repeats_out([plans[group] for group in groups], [needed[group] for group in groups])
    return needed


def _leave_repeats_out(plans: Sequence[GroupPlan], needed: Sequence[NDArray[np.bool_]]) -> None:
    """Clear the pairs that repeat an earlier one, where nothing but the texts tells keys apart."""
    number_of: dict[str, int] = {}
    texts = [np.array([number_of.setdefault(text, len(number_of)) for text in plan.text_digests]) for plan in plans]
    seen = np.zeros(len(number_of), dtype=np.bool_)
    first_place = np.zeros(len(number_of), dtype=np.int64)
    for rows in _rows_with_the_same_first(texts, len(number_of)):
        for group, first in rows:
            pairs = plans[group].pairs
            seconds = texts[group][pairs.seconds(first)]
            places = np.arange(len(seconds))
            first_place[seconds[::-1]] = places[
                ::-1
            ]  # Of a text that occurs again the last assignment stays: its first.
            is_new = (first_place[seconds] == places) & ~seen[seconds]
            seen[seconds] = True
            needed[group][pairs.row(first)] &= np.repeat(is_new, pairs.draws)
        for group, first in rows:
            seen[texts[group][plans[group].pairs.seconds(first)]] = False


def _rows_with_the_same_first(texts: Sequence[NDArray[np.int64]], n_texts: int) -> Iterator[list[tuple[int, int]]]:
    """The rows (group, first response) in which a repeat can stand, those with the same first text together."""
    counts = np.bincount(np.concatenate(texts), minlength=n_texts)
    rows: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for group, its_texts in enumerate(texts):
        has_twins = len(np.unique(its_texts)) < len(its_texts)
        for first in np.flatnonzero((counts[its_texts] > 1) | has_twins).tolist():
            rows[int(its_texts[first])].append((group, first))
    yield from rows.values()
