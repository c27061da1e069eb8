"""Sums over tokens, on the device that the tokens are on: nothing waits for it before they are read."""

from __future__ import annotations

import torch

from generation.edt_settings import EDTSettings
from generation.expert_sample.settings import ResolvedSettings
from generation.expert_use.profile import BINS
from generation.routing_study.new_experts import draw_keys, share_on_new_experts
from generation.routing_study.next_token import entropy, next_token_entropy
from generation.strategies import TokenSampling

DRAWS = 4
"""Of Expert-Sample a token and layer: over thousands of tokens their luck is far below the problems' differences."""


class TokenSums:
    """A sum over tokens of some numbers each, and how many tokens they were."""

    def __init__(self) -> None:
        self.n_tokens = 0
        self._total: torch.Tensor | None = None

    def add(self, values: torch.Tensor) -> None:
        """Add a batch of (tokens, D) numbers."""
        batch = values.sum(dim=0, dtype=torch.float64)
        self._total = batch if self._total is None else self._total + batch
        self.n_tokens += len(values)

    def read(self) -> tuple[list[float], int]:
        """The D sums (none before the first batch), and the tokens."""
        return ([] if self._total is None else [float(value) for value in self._total.tolist()]), self.n_tokens


class RankSums:
    """Of the sorted probabilities of one layer's router; also tokens by the mass that their top k leave untaken."""

    def __init__(self, active: int) -> None:
        self._active = active
        self._ordered = TokenSums()
        self._untaken: torch.Tensor | None = None

    def add(self, router_logits: torch.Tensor) -> None:
        """Add a batch; (tokens, experts) logits."""
        ordered = router_logits.softmax(dim=-1, dtype=torch.float32).sort(dim=-1, descending=True).values
        self._ordered.add(ordered)
        bins = ((1 - ordered[:, : self._active].sum(dim=-1)) * BINS).long().clamp(0, BINS - 1)
        counts = torch.zeros(BINS, dtype=torch.int64, device=bins.device).scatter_add_(0, bins, torch.ones_like(bins))
        self._untaken = counts if self._untaken is None else self._untaken + counts

    def read(self) -> tuple[list[float], int]:
        """The sums by rank, and the tokens."""
        return self._ordered.read()

    def read_untaken(self) -> list[int]:
        """Tokens by bin; none before the first token."""
        return [0] * BINS if self._untaken is None else [int(count) for count in self._untaken.tolist()]


class NewShareSums(TokenSums):
    """Of the share of one layer's weight that Expert-Sample would put on new experts, the mean of `DRAWS` draws."""

    def __init__(self, settings: ResolvedSettings, *, k: int, layer: int, seed: int) -> None:
        super().__init__()
        self._settings, self._k, self._layer, self._seed = settings, k, layer, seed

    def add_logits(self, router_logits: torch.Tensor) -> None:
        """Add a batch of tokens that yield a token; (tokens, experts) logits."""
        tokens = range(self.n_tokens, self.n_tokens + len(router_logits))
        keys = draw_keys(self._seed, tokens, DRAWS, router_logits.device)
        repeated = router_logits.repeat_interleave(DRAWS, dim=0, output_size=len(keys))
        shares = share_on_new_experts(repeated, keys, self._settings, k=self._k, layer=self._layer)
        self.add(shares.view(-1, DRAWS).mean(dim=1, keepdim=True))


class EntropySums(TokenSums):
    """Of the next token's entropy: as it is drawn, and at temperature 1 without cuts."""

    def __init__(self, tokens: TokenSampling, edt: EDTSettings | None) -> None:
        super().__init__()
        self._tokens, self._edt = tokens, edt

    def add_logits(self, logits: torch.Tensor) -> None:
        """Add a batch; (tokens, vocabulary) logits of the model's head."""
        self.add(torch.stack([next_token_entropy(logits, self._tokens, self._edt), entropy(logits)], dim=1))
