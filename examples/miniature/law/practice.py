"""What the law expects of a model that was never measured, from its two numbers: the table for practice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from examples.miniature.law.findings import METRICS, Findings
from examples.miniature.law.resampling import estimate

ENTROPIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Nats of the next token."""
WEIGHTS = (0.02, 0.05, 0.1, 0.15, 0.2)
"""On new experts."""
COLUMNS = ("metric", "form", "entropy", "new_share", "gain", "ci_low", "ci_high", "is_measured")


def practice_rows(findings: Findings) -> pd.DataFrame:
    """A row a metric, entropy and weight: the gain that is expected under the defaults, with its interval.

    By the form that best predicts a router that it was not fitted to, which is what a reader's model is.

    `is_measured` is whether both numbers lie between those of the cells that the law was fitted to.
    """
    return pd.DataFrame(_rows(findings), columns=list(COLUMNS))


def _rows(findings: Findings) -> Iterator[tuple[object, ...]]:
    cells = findings.effects.cells
    entropies, weights = (sorted(getattr(cell, name) for cell in cells) for name in ("entropy", "new_share"))
    for metric in METRICS:
        found = findings.law(metric)
        if found is None:
            continue
        curve = found.most_general
        for entropy in ENTROPIES:
            gains = curve.at(np.array(WEIGHTS), np.full(len(WEIGHTS), entropy))
            for weight, column in zip(WEIGHTS, gains.T, strict=True):
                expected = estimate(column, found.n_problems)
                known = entropies[0] <= entropy <= entropies[-1] and weights[0] <= weight <= weights[-1]
                yield metric, curve.form.name, entropy, weight, expected.value, expected.low, expected.high, known
