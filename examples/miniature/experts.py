"""The experts of a layer, forward and backward, at the speed that training on a CPU needs.

Small experts are bound by memory: copying every token once for each of its experts, and again for every elementwise
step, costs more than the products. Here the tokens are sorted by expert and one expert is worked off at a time, in
pieces that stay in the cache; what the experts of a token gave is summed by one gathering reduction.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "sorted_by_expert"


def sorted_experts(self: nn.Module, hidden: Tensor, expert_ids: Tensor, weights: Tensor) -> Tensor:
    """The layer's output, in the form in which transformers calls an implementation of experts.

    Args:
        self: The experts: `gate_up_proj` (experts, 2 width, hidden) and `down_proj` (experts, hidden, width), SwiGLU.
        hidden: (tokens, hidden).
        expert_ids: (tokens, k) which experts compute a token.
        weights: (tokens, k) what their outputs are multiplied by.

    Returns:
        (tokens, hidden).
    """
    output: Tensor = _SortedExperts.apply(hidden, expert_ids, weights, self.gate_up_proj, self.down_proj)
    return output


class _SortedExperts(torch.autograd.Function):  # type: ignore[misc]  # torch is not type-checked here
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, expert_ids: Tensor, weights: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
        n_tokens, k = expert_ids.shape
        flat = expert_ids.reshape(-1)
        order = torch.argsort(flat, stable=True)
        sizes = torch.bincount(flat, minlength=gate_up.shape[0]).tolist()
        tokens = order // k
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order))
        both = hidden.new_empty(len(order), gate_up.shape[1])
        out = hidden.new_empty(len(order), hidden.shape[1])
        for expert, rows in _slices(sizes):
            torch.mm(hidden.index_select(0, tokens[rows]), gate_up[expert].T, out=both[rows])
            gate, up = both[rows].chunk(2, dim=1)
            torch.mm(functional.silu(gate).mul_(up), down[expert].T, out=out[rows])
        place = place.view(n_tokens, k)
        ctx.save_for_backward(hidden, weights, gate_up, down, order, tokens, place, both)
        ctx.sizes = sizes
        return functional.embedding_bag(place, out, mode="sum", per_sample_weights=weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (d_output,) = gradients
        hidden, weights, gate_up, down, order, tokens, place, both = ctx.saved_tensors
        sorted_weights = weights.reshape(-1)[order]
        d_sorted_weights = torch.empty_like(sorted_weights)
        d_rows = hidden.new_empty(len(order), hidden.shape[1])
        d_gate_up, d_down = torch.zeros_like(gate_up), torch.zeros_like(down)
        for expert, rows in _slices(ctx.sizes):
            own, scale = tokens[rows], sorted_weights[rows].unsqueeze(1)
            gate, up = both[rows].chunk(2, dim=1)
            sigmoid = torch.sigmoid(gate)
            activated = gate * sigmoid
            inner = activated * up
            d_own = d_output.index_select(0, own)
            d_inner = d_own @ down[expert]
            d_sorted_weights[rows] = (d_inner * inner).sum(1)
            torch.mm(d_own.T, inner.mul_(scale), out=d_down[expert])
            d_inner.mul_(scale)
            d_gate = d_inner * up * (sigmoid + activated * (1 - sigmoid))
            d_both = torch.cat([d_gate, d_inner * activated], dim=1)
            torch.mm(d_both.T, hidden.index_select(0, own), out=d_gate_up[expert])
            torch.mm(d_both, gate_up[expert], out=d_rows[rows])
        d_weights = torch.empty_like(sorted_weights)
        d_weights[order] = d_sorted_weights
        d_hidden = functional.embedding_bag(place, d_rows, mode="sum")
        return d_hidden, None, d_weights.view_as(weights), d_gate_up, d_down


def _slices(sizes: list[int]) -> list[tuple[int, slice]]:
    """Each expert that has tokens, with its rows among the sorted ones."""
    result, start = [], 0
    for expert, size in enumerate(sizes):
        if size:
            result.append((expert, slice(start, start + size)))
        start += size
    return result
