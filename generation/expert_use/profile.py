"""Router probabilities by rank, joined from what the workers of an engine saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 200
"""Bins of equal width between 0 and 1 into which tokens are counted by their untaken mass."""

Reading = Sequence[Mapping[str, Any]]
"""What the workers answered, in order of rank; their sums go on from reading to reading."""


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
    def from_workers(cls, *readings: Reading) -> RoutingProfile:
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


def _joined(answers: Reading) -> dict[int, tuple[list[float], int]]:
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
