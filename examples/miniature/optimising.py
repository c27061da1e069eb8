"""The loop that every training of the miniature goes through: a rate, a step, a line of progress, a state on disk.

A training brings its recipe and a function from the number of a step to that step's loss; what a killed run kept is
found again and gone on with, to the same weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from rich.console import Console
from torch import Tensor

from examples.miniature.shape import SHAPE

IGNORED = -100
"""Label of a token that the loss leaves out: the prompt and the padding."""

_BETAS = (0.9, 0.98)
_LONGEST_GRADIENT = 1.0


class Recipe(Protocol):
    """What the loop has to know of a training; a dataclass, whose fields together say which training it is."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def steps(self) -> int:
        """Optimizer steps."""

    @property
    def weight_decay(self) -> float:
        """Of the matrices."""

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""


LossAt = Callable[[int], tuple[Tensor, Mapping[str, float]]]
"""From the number of a step to the loss that is differentiated, and figures to show by their names."""


def optimise(
    model: torch.nn.Module,
    recipe: Recipe,
    loss_at: LossAt,
    *,
    state_file: Path,
    keep_every: int,
    show_every: int,
    console: Console,
) -> None:
    """Train a model in place by AdamW.

    Args:
        model: What is trained; its weights are those of step 0, or of no meaning where a state is found.
        recipe: Which training it is.
        loss_at: The loss of a step.
        state_file: Where the state is kept, and looked for first.
        keep_every: Steps between two states on disk; the last step is kept too.
        show_every: Steps between two lines of progress.
        console: Where the lines go.

    Raises:
        SystemExit: the state is of another recipe.
    """
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe.weight_decay), betas=_BETAS, fused=True)
    first = resume(model, optimizer, recipe, state_file)
    progress = _Progress(first, recipe.steps, console)
    for step in range(first, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        loss, figures = loss_at(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), _LONGEST_GRADIENT)
        optimizer.step()
        optimizer.zero_grad()
        progress.add(figures)
        if (step + 1) % show_every == 0:
            progress.show(step + 1)
        if (step + 1) % keep_every == 0 or step + 1 == recipe.steps:
            keep(model, optimizer, recipe, step + 1, state_file)


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The matrices, which decay, and the scales, which do not."""
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    scales = [weight for weight in model.parameters() if weight.ndim == 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": scales, "weight_decay": 0.0}]


def keep(model: torch.nn.Module, optimizer: Any, recipe: Recipe, step: int, file: Path) -> None:
    """Write what a killed run needs to go on after so many steps; the file is whole or the former one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new")
    state = {"recipe": asdict(recipe), "shape": dict(SHAPE), "step": step}
    torch.save({**state, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, unfinished)
    unfinished.replace(file)


def resume(model: torch.nn.Module, optimizer: Any, recipe: Recipe, file: Path) -> int:
    """Load what a killed run of the same recipe kept; returns the step to go on with.

    Raises:
        SystemExit: the file is of another recipe.
    """
    if not file.exists():
        return 0
    state = torch.load(file)
    if state["recipe"] != asdict(recipe) or state["shape"] != SHAPE:
        raise SystemExit(f"{file} is of another recipe ({state['recipe']}): delete it, or name another --state")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


class _Progress:
    """Figures since the last line, by their names."""

    def __init__(self, first: int, steps: int, console: Console) -> None:
        self._first, self._steps, self._console = first, steps, console
        self._began = time.monotonic()
        self._figures: dict[str, list[float]] = {}

    def add(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._figures.setdefault(name, []).append(value)

    def show(self, step: int) -> None:
        """Print the means, and how long it takes."""
        minutes = (time.monotonic() - self._began) / 60
        left = minutes / (step - self._first) * (self._steps - step)
        means = "  ".join(f"{name} {sum(values) / len(values):.3f}" for name, values in sorted(self._figures.items()))
        line = f"step {step}/{self._steps}  {means}  {minutes:.1f} min, {left:.0f} min left"
        self._console.print(line, highlight=False, soft_wrap=True)
        self._figures.clear()
