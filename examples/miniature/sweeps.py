"""Which settings of Expert-Sample are tried, and how a strategy's name says them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BASELINE = "token-normal"
DEFAULT = "expert-sample"


@dataclass(frozen=True)
class Sweep:
    """One setting with the values that are tried, the others at their defaults.

    Attributes:
        setting: `k_keep`, `tau` or `r`.
        values: In rising order.
        default: The setting's default for this model, which the preset itself stands for.
        figure: The figure of the paper that this is the counterpart of.
    """

    setting: str
    values: tuple[float, ...]
    default: float
    figure: str

    def strategy(self, value: float) -> str:
        """The strategy with this value."""
        return DEFAULT if value == self.default else f"{DEFAULT}:{self.setting}={value:g}"


FULL = (
    Sweep("k_keep", (0, 2, 4, 5, 6, 7), 5, "5 and 6"),
    Sweep("tau", (0.5, 1, 2, 4), 1, "7"),
    Sweep("r", (16, 32, 64), 32, "8"),
)
QUICK = (Sweep("k_keep", (2, 5), 5, "5 and 6"), Sweep("tau", (1, 4), 1, "7"), Sweep("r", (16, 32), 32, "8"))


def strategies(sweeps: Iterable[Sweep]) -> tuple[str, ...]:
    """All strategies of the sweeps, each once, the baseline first."""
    found = [BASELINE, DEFAULT, *(sweep.strategy(value) for sweep in sweeps for value in sweep.values)]
    return tuple(dict.fromkeys(found))
