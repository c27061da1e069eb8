"""How much of a text another text keeps: Levenshtein's distance, as a share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def edit_share(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Insertions, deletions and substitutions between two sequences over the length of the longer one, in 0..1.

    Levenshtein 1966. A row of the table is computed at once: an insertion is what is left of its own row, so after
    deletions and substitutions the row is the running minimum of distance minus place, plus the place. Two empty
    sequences are alike: 0.
    """
    longer = max(len(first), len(second))
    if not longer:
        return 0.0
    numbers: dict[Hashable, int] = {}
    rows, columns = (np.array([numbers.setdefault(one, len(numbers)) for one in each]) for each in (first, second))
    places = np.arange(len(columns) + 1)
    distance = places.copy()
    for row, one in enumerate(rows, start=1):
        below = distance + 1
        below[1:] = np.minimum(below[1:], distance[:-1] + (columns != one))
        below[0] = row
        distance = np.minimum.accumulate(below - places) + places
    return float(distance[-1]) / longer
