"""What the routing study measures, computed anew in float64 by other means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generation.strategies import TokenSampling
from tests.generation.expert_sample.plackett_luce import set_probabilities


def entropy_by_sorting(logits: NDArray[np.float64], sampling: TokenSampling) -> float:
    """Nats of the next token: probabilities from high to low, cut by min-p, top-k (ties stay) and top-p."""
    if sampling.temperature == 0:
        return 0.0
    tempered = np.sort(np.asarray(logits, np.float64))[::-1] / max(sampling.temperature, 0.01)
    p = np.exp(tempered - tempered[0])
    p[p < sampling.min_p] = 0.0
    if sampling.top_k:
        p[p < p[min(sampling.top_k, len(p)) - 1]] = 0.0
    p /= p.sum()
    n_left = 1 + int(np.searchsorted(np.cumsum(p), sampling.top_p - 1e-12))
    left = p[:n_left][p[:n_left] > 0]
    left = left / left.sum()
    return float(-(left * np.log(left)).sum())


def new_share_by_enumeration(logits: NDArray[np.float64], *, k: int, k_keep: int, r: int, tau: float) -> float:
    """Mean share of the chosen experts' weight on experts beyond the k best, over all sets that may be drawn."""
    ranked = np.sort(np.asarray(logits, np.float64))[::-1]
    gate = np.exp(ranked - ranked[0])
    sets = set_probabilities(np.exp((ranked[k_keep:r] - ranked[k_keep]) / tau), k - k_keep)
    share = 0.0
    for drawn, probability in sets.items():
        chosen = [*range(k_keep), *(k_keep + number for number in drawn)]
        share += probability * sum(gate[i] for i in chosen if i >= k) / sum(gate[i] for i in chosen)
    return share
