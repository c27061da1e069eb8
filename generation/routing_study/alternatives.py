"""Other routes of equal cost for a token: k distinct experts, drawn by one of the schemes.

Draws are a function of (seed, layer, context): the context is the prompt with the response up to the token. So they do
not depend on the batch, a resumed run repeats them, and responses that begin alike have the same alternatives
wherever they are still alike, which lets the best route be chosen by one continuation and scored by another.

`gumbel`: the k greatest of g_i / tau + G_i, with router logits g and G_i ~ Gumbel(0, 1), are a draw of k experts
without replacement in proportion to exp(g_i / tau) (Plackett-Luce). `tail` and `expert-sample` are Expert-Sample
itself, by its reference. `swap-one`: which expert gives way is uniform.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from generation.expert_sample.noise import row_keys
from generation.expert_sample.reference import route as expert_sample_route
from generation.expert_sample.rows import RowSettings
from generation.expert_sample.settings import ExpertSampleSettings
from generation.moe_models.layers import MoeLayer
from generation.routing_study.schemes import Scheme


@dataclass(frozen=True)
class Drawing:
    """How alternatives are drawn.

    Attributes:
        scheme: One of `schemes.SCHEMES`.
        tau: Temperature of the draw among router logits.
        seed: What all draws derive from.
        n: Alternatives M of the first set; as many, and a placebo, are drawn for the second.
        k_keep: Experts that `tail` and `expert-sample` keep, a number or an expression in k.
        r: Rank of the last expert that `expert-sample` draws, likewise.
    """

    scheme: Scheme = "gumbel"
    tau: float = 1.0
    seed: int = 0
    n: int = 32
    k_keep: int | str = "k//2+1"
    r: int | str = "4k"

    @property
    def n_drawn(self) -> int:
        """Routes that are drawn a token: both sets and the placebo."""
        return 2 * self.n + 1

    def head_and_tail(self, layer: MoeLayer) -> tuple[int, int]:
        """Experts kept, and the rank of the last that can be drawn, by `tail` and `expert-sample`.

        Raises:
            ValueError: settings that do not fit the layer's experts.
        """
        r = layer.n_experts if self.scheme == "tail" else self.r
        settings = ExpertSampleSettings(k_keep=self.k_keep, tau=self.tau, r=r).resolve(layer.k, layer.n_experts)
        return settings.k_keep, settings.r

    def routes(
        self, layer: MoeLayer, logits: torch.Tensor, standard: torch.Tensor, contexts: NDArray[np.uint64]
    ) -> torch.Tensor:
        """Draw alternatives.

        Args:
            layer: Whose experts.
            logits: (T, E) of the router.
            standard: (T, k) the router's own routes.
            contexts: (T,) from `contexts_of`.

        Returns:
            (T, 2 M + 1, k) int64: the first set, the placebo, the second set. Experts of a route rise.
        """
        if self.scheme in ("tail", "expert-sample"):
            chosen = self._expert_sample(layer, logits, contexts)
        else:
            noise, uniform = self._noise(layer, contexts, logits.device)
            scores = logits.float()[:, None] / self.tau + noise
            chosen = _swapped(scores, standard, uniform) if self.scheme == "swap-one" else _greatest(scores, layer.k)
        return chosen.sort(dim=2).values

    def _noise(
        self, layer: MoeLayer, contexts: NDArray[np.uint64], device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gumbel noise (T, 2 M + 1, E), and uniform numbers (T, 2 M + 1) in [0, 1)."""
        exponential = np.empty((len(contexts), self.n_drawn, layer.n_experts), np.float32)
        uniform = np.empty((len(contexts), self.n_drawn), np.float32)
        own = self._key(layer)
        for row, context in enumerate(contexts):
            generator = np.random.Generator(np.random.Philox(key=np.array([own, context], np.uint64)))
            generator.standard_exponential(dtype=np.float32, out=exponential[row])
            generator.random(dtype=np.float32, out=uniform[row])
        gumbel = torch.from_numpy(exponential).to(device).clamp_min_(1e-38).log_().neg_()
        return gumbel, torch.from_numpy(uniform).to(device)

    def _expert_sample(self, layer: MoeLayer, logits: torch.Tensor, contexts: NDArray[np.uint64]) -> torch.Tensor:
        k_keep, r = self.head_and_tail(layer)
        seeds = torch.from_numpy((contexts ^ np.uint64(self._key(layer))).view(np.int64))
        keys = row_keys(seeds[:, None], torch.arange(self.n_drawn)[None], 0).reshape(-1).to(logits.device)
        rows = RowSettings.alike(keys, k_keep=k_keep, r=r, tau=self.tau)
        repeated = logits.repeat_interleave(self.n_drawn, dim=0)
        _, experts = expert_sample_route(repeated, rows, k=layer.k, renormalize=True, layer=layer.index)
        return experts.long().view(len(contexts), self.n_drawn, layer.k)

    def _key(self, layer: MoeLayer) -> int:
        name = f"counterfactual {self.seed} {layer.index}"
        return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def contexts_of(prompt_ids: Sequence[int], token_ids: Sequence[int]) -> NDArray[np.uint64]:
    """A number for what stands before each token of a response: the prompt and the tokens so far, (T,)."""
    return np.fromiter(_contexts(prompt_ids, token_ids), np.uint64, len(token_ids))


def _contexts(prompt_ids: Sequence[int], token_ids: Sequence[int]) -> Iterator[int]:
    digest = hashlib.blake2b(np.asarray(prompt_ids, np.int64).tobytes(), digest_size=8)
    for token in token_ids:
        yield int.from_bytes(digest.digest(), "big")
        digest.update(int(token).to_bytes(8, "little"))


def route_codes(routes: torch.Tensor, n_experts: int) -> torch.Tensor:
    """A number for the set of experts of each route (..., k): int64 (...); the order of experts does not count."""
    words = np.random.default_rng(0).integers(1 << 62, size=n_experts)
    return torch.from_numpy(words).to(routes.device)[routes].sum(-1)


def _greatest(scores: torch.Tensor, k: int) -> torch.Tensor:
    return scores.topk(k, dim=2).indices


def _swapped(scores: torch.Tensor, standard: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Routes (T, R, k) that differ from the standard (T, k) in one expert."""
    n_rows, n_routes = uniform.shape
    k = standard.shape[1]
    routes = standard[:, None].expand(n_rows, n_routes, k).clone()
    incoming = scores.scatter(2, routes, -torch.inf).argmax(dim=2, keepdim=True)
    leaving = (uniform * k).long().clamp_max(k - 1)[..., None]
    return routes.scatter(2, leaving, incoming)
