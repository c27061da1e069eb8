"""How much of a layer's weight Expert-Sample would put on experts that the router's top k leave out.

Top k and draw are both the reference's (`expert_sample.reference`), so that ties are broken alike. The share is one of
the weight that all chosen experts have together: the same number whether the router makes the weights add up to 1
or not.
"""

from __future__ import annotations

import torch

from generation.expert_sample.noise import row_keys
from generation.expert_sample.reference import route
from generation.expert_sample.rows import RowSettings
from generation.expert_sample.settings import ResolvedSettings


def share_on_new_experts(
    logits: torch.Tensor, keys: torch.Tensor, settings: ResolvedSettings, *, k: int, layer: int
) -> torch.Tensor:
    """Draw once for each row and weigh what is new. Waits for no device.

    Args:
        logits: (T, E) router logits.
        keys: (T,) int64, of the draws, from `noise.row_keys`.
        settings: Of Expert-Sample, for this model.
        k: Number of active experts.
        layer: Index of the layer, which the noise depends on.

    Returns:
        (T,) float32 shares of the chosen experts' weight, 0..1.
    """
    rows = RowSettings.alike(
        keys, k_keep=settings.k_keep, r=settings.r, tau=settings.tau, fragile_from=settings.fragile_from
    )
    weights, drawn = route(logits, rows, k=k, renormalize=True, layer=layer)
    own = RowSettings.off(len(logits), logits.device)
    _, top = route(logits, own, k=k, renormalize=True, layer=layer)
    is_new = (drawn[:, :, None] != top[:, None, :]).all(-1)
    return (weights * is_new).sum(-1)


def draw_keys(seed: int, tokens: range, draws: int, device: torch.device) -> torch.Tensor:
    """Keys (tokens * draws,) of several draws for each of some tokens, the draws of a token together."""
    numbers = torch.arange(tokens.start, tokens.stop, device=device)
    samples = torch.arange(draws, device=device)
    seeds = torch.full((len(tokens), draws), seed, dtype=torch.int64, device=device)
    return row_keys(seeds, samples[None, :], numbers[:, None]).flatten()
