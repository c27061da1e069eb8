"""How the gain may hang on the two numbers: the hypothesis, written before any sampling, and its rivals.

The hypothesis. Expert-Sample changes only what it has weight to change, and is drowned by the tokens' own randomness:

    gain = a * (w / .1)^b * exp(-c H)        b > 0, c > 0

w is the mean weight on experts that top-k would not take, H the entropy of the next token under the token sampling
alone, in nats. `a` is the gain at a weight of a tenth and tokens that leave nothing open. Every rival is likewise `a`
times the exponential of a sum, so one computation fits them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REFERENCE_DRAWN = 3
"""Experts a token that `a` stands for: those of the paper's default, which keeps 5 of 8."""
REFERENCE_WEIGHT = 0.1
"""The weight that `a` stands for: about what the paper's routers would put on new experts."""
_SMALLEST = 1e-6


@dataclass(frozen=True)
class Form:
    """One form of the law.

    Attributes:
        name: In the tables.
        formula: As a reader writes it.
        parameters: After `a`, one a feature.
        features: What they multiply in the exponent.
        by_router: Whether every router has parameters of its own; then it says nothing of a new router.
    """

    name: str
    formula: str
    parameters: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    by_router: bool = False


LAW = Form("weight and entropy", "a (w/.1)^b exp(-c H)", ("b", "c"), ("weight", "entropy"))
LATER = Form("weight, experts drawn and entropy", "a (w/.1 m/3)^b exp(-c H)", ("b", "c"), ("drawn", "entropy"))
"""With m, the experts that a token draws: the same weight on more of them is more ways to differ.

Thought of after the first grid (tasks four and eight, k_keep), before the task seven, tau, r and 700 of the 1,000
problems were sampled.
"""
RIVALS = (
    LATER,
    Form("weight and root of entropy", "a (w/.1)^b exp(-c sqrt H)", ("b", "c"), ("weight", "root")),
    Form("weight and headroom", "a (w/.1)^b (1 - D0)^c", ("b", "c"), ("weight", "headroom")),
    Form("weight alone", "a (w/.1)^b", ("b",), ("weight",)),
    Form("entropy alone", "a exp(-c H)", ("c",), ("entropy",)),
    Form("a curve a router", "a_r exp(-c_r H)", ("c",), ("entropy",), by_router=True),
    Form("a law a router", "a_r (w/.1)^b_r exp(-c_r H)", ("b", "c"), ("weight", "entropy"), by_router=True),
    Form("always the same", "a"),
)
FORMS = (LAW, *RIVALS)

Numbers = NDArray[np.float64]
FEATURES: Mapping[str, Callable[[Numbers, Numbers, Numbers, Numbers], Numbers]] = {
    "weight": lambda w, h, d, m: np.log(np.maximum(w, _SMALLEST) / REFERENCE_WEIGHT),
    "drawn": lambda w, h, d, m: np.log(np.maximum(w, _SMALLEST) / REFERENCE_WEIGHT * m / REFERENCE_DRAWN),
    "entropy": lambda w, h, d, m: -h,
    "root": lambda w, h, d, m: -np.sqrt(np.maximum(h, 0.0)),
    "headroom": lambda w, h, d, m: np.log(np.maximum(1 - d, _SMALLEST)),
}
"""Of w, H, D0 (the diversity of the tokens alone) and m, each of one shape, which the feature keeps."""
KNOWN_BEFORE = frozenset({"weight", "drawn", "entropy", "root"})
"""Features that are known of a model before many responses are paid for."""


def features_of(
    form: Form,
    weight: Numbers,
    entropy: Numbers,
    diversity: Numbers,
    drawn: Numbers | float = REFERENCE_DRAWN,
) -> Numbers:
    """(q, ...) the form's features of cells (...).

    Args:
        form: Which.
        weight: On new experts.
        entropy: Of the next token, in nats.
        diversity: Of the tokens alone.
        drawn: Experts that a token draws.
    """
    weight, entropy, diversity, drawn = np.broadcast_arrays(weight, entropy, diversity, drawn)
    if not form.features:
        return np.empty((0, *weight.shape))
    return np.stack([FEATURES[name](weight, entropy, diversity, drawn) for name in form.features])
