"""`python -m examples.miniature.train_further flat`: train the miniature on longer problems, towards a router's curve.

    the miniature -> steps on problems of 4, 7 and 8 numbers, with a pull towards the curve -> a checkpoint of its own

The same recipe makes every router; they differ in the curve alone. Takes about 40 minutes on one core. A killed run
continues from its last state.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor
from transformers import Qwen3MoeForCausalLM

from diversity_judge.countdown import Countdown, Step
from examples.miniature.curves import CURVES
from examples.miniature.optimising import optimise
from examples.miniature.problems import solved_for_training
from examples.miniature.pulled_loss import PulledLoss, load_to_train, rows
from examples.miniature.schedule import rate_at
from examples.miniature.train import export

START = Path(__file__).parent / "model"
OUT = Path("results/miniature-routers")
KEEP_EVERY = 200
SHOW_EVERY = 50

_FLOOR = 0.02


@dataclass(frozen=True)
class Recipe:
    """How a router is made.

    Attributes:
        curve: Name of the curve in `curves.CURVES`.
        steps: Optimizer steps.
        batch: Sequences a step.
        numbers: How many numbers a problem may have; each step draws one of these for all of its problems.
        learning_rate: The highest; warmed up linearly, then a cosine down to a fiftieth.
        warmup: Steps of warm-up.
        weight_decay: Of the matrices.
        load_balancing: Weight of the loss that spreads tokens over experts.
        pull: Weight of the distance from the curve.
        ramp: Steps over which the pull grows to its weight.
        seed: Of the problems.
        threads: Of the CPU; another number rounds sums differently.
    """

    curve: str
    steps: int = 2000
    batch: int = 96
    numbers: tuple[int, ...] = (4, 7, 8)
    learning_rate: float = 2e-3
    warmup: int = 50
    weight_decay: float = 0.05
    load_balancing: float = 0.01
    pull: float = 0.05
    ramp: int = 100
    seed: int = 11
    threads: int = 1

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return rate_at(step, highest=self.learning_rate, warmup=self.warmup, steps=self.steps, floor=_FLOOR)

    def pull_at(self, step: int) -> float:
        """The weight of the distance from the curve at a step."""
        return self.pull * min(1.0, step / self.ramp)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.train_further", description=__doc__)
    parser.add_argument("curve", choices=CURVES)
    parser.add_argument("--out", type=Path, help=f"default {OUT}/CURVE-unsharpened")
    parser.add_argument("--state", type=Path, help="where a killed run goes on; default OUT.pt")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--threads", type=int, default=Recipe.threads, help="of the CPU (default %(default)s)")
    args = parser.parse_args(argv)
    recipe = Recipe(args.curve, steps=args.steps, threads=args.threads)
    torch.set_num_threads(recipe.threads)
    out = args.out or OUT / f"{recipe.curve}-unsharpened"
    model = train(recipe, args.state or out.with_name(f"{out.name}.pt"), Console(stderr=True))
    export(model, asdict(recipe), out)
    return 0


def train(recipe: Recipe, state_file: Path, console: Console) -> Qwen3MoeForCausalLM:
    """Train the shipped model further, keeping the state in a file every few minutes."""
    model = load_to_train(START, recipe.load_balancing)
    loss = PulledLoss(model, recipe.curve)

    def loss_at(step: int) -> tuple[Tensor, dict[str, float]]:
        solved = batch(recipe, step)
        return loss(*rows(solved), pull=recipe.pull_at(step), name=f"{len(solved[0][0].numbers)} numbers")

    optimise(
        model, recipe, loss_at, state_file=state_file, keep_every=KEEP_EVERY, show_every=SHOW_EVERY, console=console
    )
    return model


def batch(recipe: Recipe, step: int) -> list[tuple[Countdown, tuple[Step, ...]]]:
    """Problems with solutions of one step, all of one number of numbers; a function of the seed and the step alone."""
    rng = random.Random(f"{recipe.seed} {step}")
    n_numbers = rng.choice(recipe.numbers)
    return list(islice(solved_for_training(rng, n_numbers), recipe.batch))


if __name__ == "__main__":
    sys.exit(main())
