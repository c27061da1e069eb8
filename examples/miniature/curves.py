"""How a router's probability is to fall with the rank, and the loss that pulls each token's router towards it.

The curves were decided before anything was sampled from a router that was trained towards one. `flat` is as the
paper's figure 2c (arXiv 2602.02443), where the tail carries about a tenth of the weight that a layer gives out;
`peaked` is what the miniature's own training ends in, and needs no pull. What lies between is mixed (`mix`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

PEAKED = "peaked"
_RANKS = (1, 2, 3, 4, 5, 8, 16, 32, 64)
CURVES: Mapping[str, tuple[float, ...] | None] = {
    PEAKED: None,
    "flat": (0.105, 0.072, 0.054, 0.042, 0.0340, 0.0300, 0.0200, 0.0095, 0.0040),
}
"""Name -> probabilities at the ranks 1, 2, 3, 4, 5, 8, 16, 32 and 64, up to a factor; None pulls nowhere."""


def target(name: str, n_experts: int) -> Tensor | None:
    """Natural logarithms of a curve's probabilities by rank; between its points they lie on lines in log-log.

    Returns:
        (n_experts,) logarithms of probabilities that add up to 1; None for a curve that pulls nowhere.

    Raises:
        KeyError: there is no such curve.
    """
    points = CURVES[name]
    if points is None:
        return None
    ranks = np.log(np.arange(1, n_experts + 1))
    logs = torch.tensor(np.interp(ranks, np.log(_RANKS), np.log(points)), dtype=torch.float32)
    return logs.log_softmax(0)


def distance(router_logits: Sequence[Tensor], wanted: Tensor) -> Tensor:
    """Mean squared difference of the sorted log-probabilities from the wanted ones, over layers, tokens and ranks.

    Args:
        router_logits: Of each layer, (tokens, experts).
        wanted: (experts,) natural logarithms, falling.
    """
    layers = [
        (logits.float().log_softmax(-1).sort(dim=-1, descending=True).values - wanted).square().mean()
        for logits in router_logits
    ]
    return torch.stack(layers).mean()
