"""What one request's tokens need to be routed, as it travels from the front end to every worker.

Everything is decided once, in the front end: the ranks of a tensor-parallel group that drew their own seed
would choose different experts and add up partial sums of different functions. A worker only turns these
numbers into rows, and the scheduler only into cache keys. The numbers travel as a plain list inside
`SamplingParams.extra_args`, which vLLM already carries to both places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from generation.expert_sample.noise import NOISE_VERSION
from generation.expert_sample.settings import ResolvedSettings, Scope

WIRE = "_expert_sample_routing"
"""Name in `extra_args`. Not one of the names that a user may set (those start with `expert_sample`)."""


@dataclass(frozen=True)
class RoutingRequest:
    """How the tokens of one sample of a request are routed.

    Attributes:
        seed: seed of the routing noise, 64 signed bits.
        sample_index: which of the request's n samples this is, from 0.
        k_keep: number of experts that are always kept.
        r: rank (1-based) of the last expert that can be drawn.
        tau: temperature of the draw.
        scope: which tokens are drawn, `generation` or `all`.
        fragile_from: least untaken mass of a token that is drawn in a layer, 0..1; 0 draws all.
        noise_version: the noise that the seed means (`noise.NOISE_VERSION`).
    """

    seed: int
    sample_index: int
    k_keep: int
    r: int
    tau: float
    scope: Scope
    fragile_from: float = 0.0
    noise_version: int = NOISE_VERSION

    @classmethod
    def of(cls, settings: ResolvedSettings, *, seed: int, sample_index: int = 0) -> RoutingRequest:
        """Combine a model's settings with the request's seed."""
        return cls(seed, sample_index, settings.k_keep, settings.r, settings.tau, settings.scope, settings.fragile_from)

    @classmethod
    def find(cls, extra_args: Mapping[str, Any] | None) -> RoutingRequest | None:
        """Read the request that the front end put into `extra_args`, if there is one."""
        wire = extra_args.get(WIRE) if extra_args else None
        return None if wire is None else cls(*wire)

    def put(self, extra_args: Mapping[str, Any] | None) -> dict[str, Any]:
        """Copy `extra_args` with this request in it."""
        return {**(extra_args or {}), WIRE: list(astuple(self))}

    def draws(self, k: int) -> bool:
        """Tell whether any expert is drawn, or the k best are chosen as without Expert-Sample."""
        return self.k_keep < k < self.r and self.fragile_from < 1

    def start(self, n_prompt_tokens: int) -> int:
        """Position of the first drawn token: the pass of the last prompt token yields the first new one."""
        return 0 if self.scope == "all" else n_prompt_tokens - 1

    def cache_key(self, n_prompt_tokens: int) -> str:
        """Name all that a drawn token's keys and values depend on, besides the tokens before it."""
        fields = (self.noise_version, self.seed, self.sample_index, self.k_keep, self.r, self.tau, self.fragile_from)
        return ":".join(map(repr, (*fields, self.start(n_prompt_tokens))))
