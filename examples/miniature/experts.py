"""All experts of a layer in three batched products, for training on a CPU.

A loop over 64 small experts spends its time in overhead, and computing every expert for every token wastes 7/8 of the
work. Here the tokens are sorted by expert and padded to the busiest one, so that a layer is three `bmm`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

NAME = "padded_bmm"


def padded_bmm_experts(self: nn.Module, hidden: Tensor, expert_ids: Tensor, weights: Tensor) -> Tensor:
    """The layer's output, in the form in which transformers calls an implementation of experts.

    Args:
        self: The experts: `gate_up_proj` (experts, 2 width, hidden), `down_proj` (experts, hidden, width), `act_fn`.
        hidden: (tokens, hidden).
        expert_ids: (tokens, k) which experts compute a token.
        weights: (tokens, k) what their outputs are multiplied by.

    Returns:
        (tokens, hidden).
    """
    n_tokens, k = expert_ids.shape
    n_experts = self.gate_up_proj.shape[0]
    flat = expert_ids.reshape(-1)
    order = torch.argsort(flat, stable=True)
    counts = torch.bincount(flat, minlength=n_experts)
    starts = torch.cumsum(counts, 0) - counts
    sorted_ids = flat[order]
    capacity = int(counts.max())
    slot = sorted_ids * capacity + torch.arange(n_tokens * k) - starts[sorted_ids]
    token_of_slot = torch.full((n_experts * capacity,), n_tokens, dtype=torch.long)
    token_of_slot[slot] = order // k
    padded = torch.cat([hidden, hidden.new_zeros(1, hidden.shape[1])])
    rows = padded.index_select(0, token_of_slot).view(n_experts, capacity, -1)
    gate, up = torch.bmm(rows, self.gate_up_proj.transpose(1, 2)).chunk(2, dim=-1)
    out = torch.bmm(self.act_fn(gate) * up, self.down_proj.transpose(1, 2)).view(n_experts * capacity, -1)
    slot_of_choice = torch.empty_like(slot)
    slot_of_choice[order] = slot
    chosen = out.index_select(0, slot_of_choice).view(n_tokens, k, -1)
    return torch.bmm(weights.unsqueeze(1), chosen).squeeze(1)
