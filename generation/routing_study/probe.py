"""Watch a model's routers from inside vLLM's workers: mean router probability by rank.

vLLM mixes this class into its workers (`worker_extension_cls`). The routers are asked through their common
base class, so every softmax-routed model that vLLM runs can be watched, at any size and parallelism,
without a copy of its modelling code. Only in eager mode: a compiled graph would have traced the router
without its watcher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 200
"""Bins of equal width between 0 and 1 into which tokens are counted by their untaken mass."""

EXTENSION = "generation.routing_study.probe.RoutingProbe"


def _no_blocks() -> NDArray[np.float64]:
    return np.empty((0, 0))


@dataclass(frozen=True, eq=False)
class RoutingProfile:
    """Router probabilities by rank, for each layer averaged over tokens.

    Attributes:
        layers: Indices of the layers with experts, in order.
        by_layer: (layers, experts) mean probability of the expert at each rank, best first; rows sum to 1.
        n_tokens: Tokens that went through each layer.
        active_experts: Experts a token, k.
        by_block: (blocks, experts) mean over tokens and layers in each block of problems; (0, 0) if unknown.
        untaken: (layers, `BINS`) tokens by the probability that their top k leave untaken; (0, 0) if unknown.
    """

    layers: tuple[int, ...]
    by_layer: NDArray[np.float64]
    n_tokens: int
    active_experts: int
    by_block: NDArray[np.float64] = field(default_factory=_no_blocks)
    untaken: NDArray[np.float64] = field(default_factory=_no_blocks)

    @property
    def mean(self) -> NDArray[np.float64]:
        """(experts,) mean over layers; with tokens equal in all layers also the mean over both."""
        result: NDArray[np.float64] = self.by_layer.mean(axis=0)
        return result

    def fragile_shares(self) -> NDArray[np.float64]:
        """(layers, `BINS`) share of tokens that leave at least each bin's lower end, 0, 1/`BINS`, .., untaken."""
        at_least = self.untaken[:, ::-1].cumsum(axis=1)[:, ::-1]
        result: NDArray[np.float64] = at_least / self.untaken.sum(axis=1, keepdims=True)
        return result

    @classmethod
    def from_workers(cls, *readings: Sequence[Mapping[str, Any]]) -> RoutingProfile:
        """Join what the workers saw: tensor-parallel ranks saw the same, pipeline stages other layers.

        Args:
            readings: The workers' answers after each block of problems; their sums go on from block to block.

        Raises:
            ValueError: no layer saw a token, or layers differ in their experts; the message says why.
        """
        joined = [_joined(answers) for answers in readings]
        order = sorted(joined[-1])
        totals = np.array([[reading[layer][0] for layer in order] for reading in joined])
        counts = np.array([[reading[layer][1] for layer in order] for reading in joined], dtype=np.float64)
        by_layer = totals[-1] / counts[-1][:, None]
        grown = np.diff(totals, axis=0, prepend=0.0) / np.diff(counts, axis=0, prepend=0.0)[:, :, None]
        n_tokens, active = int(counts[-1].min()), int(readings[-1][0]["active_experts"])
        counted = {int(layer): bins for answer in readings[-1] for layer, bins in answer.get("untaken", {}).items()}
        untaken = np.array([counted[layer] for layer in order], dtype=np.float64) if counted else _no_blocks()
        return cls(tuple(order), by_layer, n_tokens, active, grown.mean(axis=1), untaken)


def _joined(answers: Sequence[Mapping[str, Any]]) -> dict[int, tuple[list[float], int]]:
    """Layer -> sums of probabilities by rank, and tokens."""
    layers: dict[int, tuple[list[float], int]] = {}
    for answer in answers:
        for layer, (total, n_tokens) in answer["layers"].items():
            layers.setdefault(int(layer), (total, n_tokens))
    if not layers or any(n_tokens == 0 for _, n_tokens in layers.values()):
        raise ValueError("no router was asked: the model's experts run in a kernel that routes by itself")
    if len({len(total) for total, _ in layers.values()}) > 1:
        raise ValueError("the model's layers differ in their number of experts")
    return layers


class RoutingProbe:
    """What a worker can be told by `collective_rpc`; `self` is the worker."""

    model_runner: Any

    def start_routing_probe(self) -> str | None:
        """Begin to watch; None, or the reason why this model can't be watched."""
        from generation.expert_sample.vllm.refusals import router_reason

        self._rank_sums: dict[int, _RankSums] = {}
        self._routing_active = 0
        for runner in _moe_runners(self.model_runner.get_model()):
            router = runner.router
            reason = router_reason(getattr(router, "original", router))
            if reason is not None:
                return reason
            self._routing_active = int(router.top_k)
            sums = self._rank_sums[int(runner.layer_id)] = _RankSums(self._routing_active)
            router._compute_routing = _watched(router._compute_routing, sums)
        return None

    def read_routing_probe(self) -> dict[str, Any]:
        """What was seen so far by layer, as plain data: sums of probabilities by rank, tokens, and these by bin."""
        layers = {layer: (sums.as_list(), sums.n_tokens) for layer, sums in self._rank_sums.items()}
        untaken = {layer: sums.untaken_as_list() for layer, sums in self._rank_sums.items()}
        return {"layers": layers, "active_experts": self._routing_active, "untaken": untaken}


class _RankSums:
    """Sum over tokens of the sorted probabilities of one layer, and tokens by untaken mass, on the device."""

    def __init__(self, active: int) -> None:
        self.active = active
        self.total: Any = None
        self.untaken: Any = None
        self.n_tokens = 0

    def add(self, router_logits: Any) -> None:
        """Add a batch; (tokens, experts) logits."""
        import torch

        probabilities = router_logits.detach().softmax(dim=-1, dtype=torch.float32)
        ordered = probabilities.sort(dim=-1, descending=True).values
        batch = ordered.sum(dim=0, dtype=torch.float64)
        self.total = batch if self.total is None else self.total + batch
        bins = ((1 - ordered[:, : self.active].sum(dim=-1)) * BINS).long().clamp(0, BINS - 1)
        counts = torch.zeros(BINS, dtype=torch.int64, device=bins.device).scatter_add_(0, bins, torch.ones_like(bins))
        self.untaken = counts if self.untaken is None else self.untaken + counts
        self.n_tokens += len(router_logits)

    def untaken_as_list(self) -> list[int]:
        """Tokens by bin; none before the first token."""
        return [0] * BINS if self.untaken is None else [int(count) for count in self.untaken.tolist()]

    def as_list(self) -> list[float]:
        """The sums by rank; empty before the first token."""
        return [] if self.total is None else [float(value) for value in self.total.tolist()]


def _moe_runners(model: Any) -> list[Any]:
    from vllm.model_executor.layers.fused_moe.runner.moe_runner import MoERunner

    return [module for module in model.modules() if isinstance(module, MoERunner)]


def _watched(compute_routing: Any, sums: _RankSums) -> Any:
    def _compute_routing(hidden_states: Any, router_logits: Any, *args: Any, **kwargs: Any) -> Any:
        sums.add(router_logits)
        return compute_routing(hidden_states, router_logits, *args, **kwargs)

    return _compute_routing
