"""What `generation.counterfactual` is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diversity_judge.errors import InputError
from generation.expert_sample.settings import ExpertSampleSettings
from generation.routing_study.schemes import SCHEMES, Scheme
from generation.routing_study.trajectories import TrajectoryOptions

LAST, EACH = "last", "each"


@dataclass(frozen=True, kw_only=True)
class CounterfactualOptions:
    """Which routes of which responses are compared.

    Attributes:
        model: A folder or a name on the hub.
        trajectories: Which responses, and how they were prompted.
        layer: `last`, `each`, or the number of a layer from 0: among those with experts.
        alternatives: Routes M that the standard route is compared with; as many form the second set.
        tau: Temperature of the draws among router logits.
        scheme: How alternatives are drawn, one of `schemes.SCHEMES`.
        k_keep: Experts that `tail` and `expert-sample` keep, a number or an expression in k.
        r: Rank of the last expert that `expert-sample` draws, likewise.
        seed: What all draws derive from.
        device: `cpu` or `cuda`.
        dtype: `auto` for the precision that the model was saved in.
        batch_size: Tokens at once; None for what fits.
        boundaries: Of the classes: fragile up to the first probability, confident above the second.
        replay: Fragile tokens a layer whose response is written anew with another route.
        out: The folder of the results.
    """

    model: str | Path
    trajectories: TrajectoryOptions
    layer: str | int = LAST
    alternatives: int = 32
    tau: float = 1.0
    scheme: Scheme = "gumbel"
    k_keep: int | str = "k//2+1"
    r: int | str = "4k"
    seed: int = 0
    device: str = "cpu"
    dtype: str = "auto"
    batch_size: int | None = None
    boundaries: Sequence[float] = (0.5, 0.9)
    replay: int = 0
    out: Path = field(default=Path("results/counterfactual"))

    def __post_init__(self) -> None:
        """Check what can be checked without reading a file.

        Raises:
            InputError: an option is none of those that there are, or the search is asked for at another layer.
        """
        if isinstance(self.layer, str) and self.layer not in (LAST, EACH):
            if not self.layer.isdecimal():
                raise InputError(f"--layer is {self.layer!r}; it must be last, each, or the number of a layer")
            object.__setattr__(self, "layer", int(self.layer))
        if self.scheme not in SCHEMES:
            raise InputError(f"--scheme is {self.scheme!r}; there are {', '.join(SCHEMES)}")
        if self.scheme == "optimum" and self.layer != LAST:
            raise InputError("--scheme optimum searches at the last layer only: leave --layer out")
        if self.alternatives < 2:
            raise InputError(f"--alternatives is {self.alternatives}; at least 2 are compared with")
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"--batch-size must be at least 1, not {self.batch_size}")
        ends = tuple(self.boundaries)
        if len(ends) != 2 or not 0 < ends[0] < ends[1] < 1:
            raise InputError(f"--boundaries {','.join(map(str, ends))}: two probabilities that rise, as 0.5,0.9")
        if self.replay < 0:
            raise InputError(f"--replay is {self.replay}; it is a number of tokens")
        try:
            ExpertSampleSettings(k_keep=self.k_keep, tau=self.tau, r=self.r)
        except ValueError as error:
            raise InputError(f"--scheme {self.scheme}: {error}") from error
