"""What a worker is told to measure, beside its routers' probabilities: it travels to other processes as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from generation.edt_settings import EDTSettings
from generation.expert_sample.settings import ResolvedSettings
from generation.strategies import TokenSampling


@dataclass(frozen=True)
class Asked:
    """How tokens are sampled, and which draw of experts is weighed.

    Attributes:
        tokens: Token sampling of the responses.
        edt: Its dynamic temperature, or None.
        expert_sample: Settings of the draw for this model; None where there is nothing to draw.
        seed: Of the draws.
    """

    tokens: TokenSampling
    edt: EDTSettings | None
    expert_sample: ResolvedSettings | None
    seed: int

    def plain(self) -> dict[str, Any]:
        """Numbers and texts by name, which `read` takes back."""
        return asdict(self)

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Asked:
        """What `plain` made, on the other side."""
        edt, drawn = plain["edt"], plain["expert_sample"]
        return cls(
            TokenSampling(**plain["tokens"]),
            None if edt is None else EDTSettings(**edt),
            None if drawn is None else ResolvedSettings(**drawn),
            int(plain["seed"]),
        )
