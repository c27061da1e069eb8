"""What an update of a router is asked to be: one value that the command line and Python share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from diversity_judge.errors import InputError


class Objective(str, Enum):
    """What is made likely; the paper does not say which, so each is a choice of ours."""

    NLL = "nll"
    BEST_ROUTE = "best-route"
    ADVANTAGE = "advantage"


class Control(str, Enum):
    """What an update is held against."""

    NONE = "none"
    NORM_SCALE = "norm-scale"
    OUTPUT_SCALE = "output-scale"
    OTHER_LAYER = "other-layer"
    SHUFFLED_TARGETS = "shuffled-targets"


class StopBy(str, Enum):
    """Which held-out figure decides when to stop, and which step is kept."""

    NLL = "nll"
    OBJECTIVE = "objective"


SAMPLED = (Objective.BEST_ROUTE, Objective.ADVANTAGE)
"""Objectives that draw routes."""
ROUTERLESS = (Control.NORM_SCALE, Control.OUTPUT_SCALE)
"""Controls that train no router."""


@dataclass(frozen=True)
class UpdateOptions:
    """How one router is trained.

    Attributes:
        model: Folder of a checkpoint in safetensors, or its name on the hub.
        responses: Graded responses; those that are right are learned from.
        out: The folder of the new checkpoint, which must not exist.
        layer: Number of the layer; None: the last one that has a router.
        objective: What is made likely.
        control: What is trained, or learned from, in place of the router and the right tokens.
        steps: The most steps of Adam.
        lr: Adam's learning rate, constant.
        batch_size: Responses a step.
        alternatives: Routes drawn a token and step, for the objectives that draw.
        tau: Temperature of these draws.
        held_out: Share of the problems that decide when to stop.
        evaluate_every: Steps between two looks at the held-out problems.
        stop_by: The held-out figure that decides: the likelihood of the tokens under the router's own routes, or
            the objective's own loss.
        patience: Looks without a new best after which training ends.
        max_tokens: A budget of response tokens over the whole file; None: none.
        prompt_formats: Files of the formats that responses were prompted with, where these are not shipped.
        any_model: Learn from responses that another model sampled, too.
        skip_mismatches: Leave out what is not tokenised as it was sampled, in place of an error.
        dtype: Precision that the model runs in: `auto` for its own.
        device: `cpu` or `cuda`.
        seed: Of the split, the batches, the draws and the shuffling.
    """

    model: str
    responses: Path
    out: Path
    layer: int | None = None
    objective: Objective = Objective.NLL
    control: Control = Control.NONE
    steps: int = 400
    lr: float = 1e-3
    batch_size: int = 64
    alternatives: int = 16
    tau: float = 1.0
    held_out: float = 0.2
    evaluate_every: int = 20
    stop_by: StopBy = StopBy.NLL
    patience: int = 5
    max_tokens: int | None = None
    prompt_formats: tuple[str, ...] = ()
    any_model: bool = False
    skip_mismatches: bool = False
    dtype: str = "auto"
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            InputError: a number is outside its range, or an objective that draws routes is asked of no router.
        """
        for name in ("steps", "batch_size", "evaluate_every", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; it must be 1 or more")
        if self.alternatives < 2:
            raise InputError(f"--alternatives is {self.alternatives}; a best or a mean needs 2 or more")
        if not 0 < self.lr < float("inf"):
            raise InputError(f"--lr must be above 0, not {self.lr:g}")
        if not 0 < self.tau < float("inf"):
            raise InputError(f"--tau must be above 0, not {self.tau:g}")
        if not 0 < self.held_out < 1:
            raise InputError(f"--held-out is a share of the problems, between 0 and 1, not {self.held_out:g}")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InputError(f"--max-tokens is {self.max_tokens}; it must be 1 or more")
        if self.objective in SAMPLED and self.control in ROUTERLESS:
            raise InputError(
                f"--control {self.control.value} trains no router, so there are no routes to draw: use --objective nll"
            )
