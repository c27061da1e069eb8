"""What `generation.routing probabilities` is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diversity_judge.errors import InputError
from generation.engines.options import EngineOptions
from generation.expert_sample.settings import ExpertSampleSettings
from generation.sampling.options import ProblemOptions
from generation.strategies import Strategy, load_presets, parse_strategies


@dataclass(frozen=True, kw_only=True)
class ProbabilitiesOptions(ProblemOptions, EngineOptions):
    """Whose routers are watched, and on which responses.

    Attributes:
        strategy: How the responses are sampled.
        max_tokens: The longest response.
        k_keep: Head of the draw of experts that is weighed, and marked in the figure: a number or an expression in k.
            None, here and below: the strategy's own where it is one of Expert-Sample, else the paper's.
        tau: Temperature of that draw.
        r: Rank of the last expert that it can choose, a number or an expression in k.
        seed: What all seeds derive from.
        out: The folder of the tables and the figure.
    """

    strategy: str = "token-normal"
    max_tokens: int = 512
    k_keep: int | str | None = None
    tau: float | None = None
    r: int | str | None = None
    seed: int = 0
    out: Path = Path("results/routing")

    def __post_init__(self) -> None:
        """Check what can be checked without reading a file.

        Raises:
            InputError: a number is below 1, or the responses would come from several engines or from servers.
        """
        ProblemOptions.__post_init__(self)
        EngineOptions.__post_init__(self)
        if self.cpu_replicas or self.base_urls:
            raise InputError("the routers are watched in one engine in this process: leave --cpu-replicas out")

    def read_strategy(self) -> Strategy:
        """The strategy that the options name.

        Raises:
            InputError: they name none, or several.
        """
        found = parse_strategies([self.strategy], load_presets())
        if len(found) > 1:
            raise InputError(f"--strategy {self.strategy!r}: the routers are watched under one strategy")
        return found[0]

    @property
    def asks_for_a_draw(self) -> bool:
        """Whether any setting of the draw is given."""
        return any(given is not None for given in (self.k_keep, self.tau, self.r))

    def draw_of(self, strategy: Strategy) -> ExpertSampleSettings:
        """Settings of the draw that is weighed: those given here, else the strategy's, else the paper's.

        Raises:
            InputError: a setting that no model could accept.
        """
        settings = strategy.expert_sample or ExpertSampleSettings()
        given: dict[str, Any] = {"k_keep": self.k_keep, "tau": self.tau, "r": self.r}
        for name, value in given.items():
            if value is not None:
                try:
                    settings = replace(settings, **{name: value})
                except ValueError as error:
                    raise InputError(f"--{name.replace('_', '-')}: {error}") from error
        return settings
