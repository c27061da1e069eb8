"""Expert-Sample as a reader can hold it against the paper: plain torch, one statement a step.

Chen et al. 2026, "Certain Head, Uncertain Tail", arXiv 2602.02443, section 3.2. With router logits g over E
experts, k active experts, and experts ranked by logit:

    gate    p_i = exp(g_i) / sum_j exp(g_j)
    head    H = the experts of rank 1 .. k_keep
    tail    Z = the k - k_keep experts of rank k_keep+1 .. r with the greatest g_i / tau + G_i,
            where G_i ~ Gumbel(0, 1): drawing without replacement, in proportion to exp(g_i / tau)
    only where the mass that the k best leave untaken, 1 - sum over the k best of p_i, is at least the row's
            `fragile_from` (this project's addition; 0 is the paper's method): elsewhere the k best work
    combine y = sum over i in H and Z of w_i Expert_i(x), where w_i = p_i, or p_i / sum over H and Z of p_j
            where the model renormalises

The fast paths are tested to choose the same experts as this function, ties included, so it also fixes what
the paper leaves open:

- equal logits rank by expert number, the lowest first (bfloat16 logits tie often); so do equal scores;
- scores are (g_i - max g) / tau + G_i: the same choice, and no digit of the noise is lost next to a large g;
- a NaN logit ranks with minus infinity, so the chosen experts are always k distinct valid numbers. Weights
  are not repaired: a NaN or plus infinity in a softmax makes it NaN, as in the model's own router.
"""

from __future__ import annotations

import torch

from generation.expert_sample.fragility import fragile
from generation.expert_sample.noise import gumbel
from generation.expert_sample.rows import RowSettings


def route(
    logits: torch.Tensor,
    rows: RowSettings,
    *,
    k: int,
    renormalize: bool,
    layer: int,
    out: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose and weigh the experts of T token rows, each row by its own settings.

    Args:
        logits: (T, E) router logits, bfloat16, float16 or float32.
        rows: the settings of T rows or more, of which the first T are read. Values of `k_keep` outside 0..k and of
            `r` outside k..E are clipped.
        k: number of active experts, 1..E.
        renormalize: whether the model makes the chosen experts' weights add up to 1. A softmax over only the
            chosen logits (GPT-OSS) is the same thing.
        layer: index of the layer.
        out: weights and ids to write the result into. Rows that are not enabled, or not fragile, then keep what
            stands there, so that a caller can leave them to the model's own router.

    Returns:
        weights (T, k) float32 and expert ids (T, k) int32, each row in the order of rank.
    """
    n_rows, n_experts = logits.shape
    g = logits.float()
    ranked, order = _rank(torch.where(g.isnan(), -torch.inf, g))
    drawn = (rows.enabled[:n_rows] & fragile(ranked, rows.fragile_from[:n_rows], k=k))[:, None]
    rank = torch.arange(n_experts, device=logits.device)

    head = rank < torch.where(drawn, rows.k_keep[:n_rows, None].clamp(0, k), k)
    pool = rank < rows.r[:n_rows, None].clamp(k, n_experts)
    noise = gumbel(rows.keys[:n_rows], layer, n_experts).gather(1, order)
    score = (ranked - ranked[:, :1]) * rows.inv_tau[:n_rows, None] + noise
    score = torch.where(pool & ~score.isnan(), score, -torch.inf)
    _, by_score = _rank(torch.where(head, torch.inf, score))
    chosen = order.gather(1, by_score[:, :k].sort(dim=1).values)

    if renormalize:
        # The same as dividing the p_i by their sum, also where all of them underflow.
        weights = torch.softmax(g.gather(1, chosen), dim=1)
    else:
        weights = torch.softmax(g, dim=1).gather(1, chosen)
    ids = chosen.to(torch.int32)
    if out is None:
        return weights, ids
    out[0].copy_(torch.where(drawn, weights, out[0]))
    out[1].copy_(torch.where(drawn, ids, out[1]))
    return out


def _rank(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sort rows from high to low; equal values keep their order."""
    ranked = torch.sort(values, dim=1, descending=True, stable=True)
    return ranked.values, ranked.indices
