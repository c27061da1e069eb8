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
RIVALS = (
    Form("weight and root of entropy", "a (w/.1)^b exp(-c sqrt H)", ("b", "c"), ("weight", "root")),
    Form("weight and headroom", "a (w/.1)^b (1 - D0)^c", ("b", "c"), ("weight", "headroom")),
    Form("weight alone", "a (w/.1)^b", ("b",), ("weight",)),
    Form("entropy alone", "a exp(-c H)", ("c",), ("entropy",)),
    Form("a curve a router", "a_r exp(-c_r H)", ("c",), ("entropy",), by_router=True),
    Form("a law a router", "a_r (w/.1)^b_r exp(-c_r H)", ("b", "c"), ("weight", "entropy"), by_router=True),
    Form("always the same", "a"),
)
FORMS = (LAW, *RIVALS)

FEATURES: Mapping[str, Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]]
FEATURES = {
    "weight": lambda w, h, d: np.log(np.maximum(w, _SMALLEST) / REFERENCE_WEIGHT),
    "entropy": lambda w, h, d: -h,
    "root": lambda w, h, d: -np.sqrt(np.maximum(h, 0.0)),
    "headroom": lambda w, h, d: np.log(np.maximum(1 - d, _SMALLEST)),
}
"""Of w, H and D0 (the diversity of the tokens alone), each of one shape, which the feature keeps."""


def features_of(
    form: Form, weight: NDArray[np.float64], entropy: NDArray[np.float64], diversity: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(q, ...) the form's features of cells (...).

    Args:
        form: Which.
        weight: On new experts.
        entropy: Of the next token, in nats.
        diversity: Of the tokens alone.
    """
    weight, entropy, diversity = np.broadcast_arrays(weight, entropy, diversity)
    if not form.features:
        return np.empty((0, *weight.shape))
    return np.stack([FEATURES[name](weight, entropy, diversity) for name in form.features])
