"""`python -m examples.miniature.sharpen MODEL --curve flat --out FOLDER`: make a model nearly deterministic.

    training problems -> the model's own greedy solutions -> the right ones -> steps on these, with the pull kept

A model that learnt from random solutions spreads its probability over all of them; large models after their last
training do not. Learning from what it writes itself when it always takes the most likely token teaches it no other
way to solve a problem, only to keep to its own. Takes about ten minutes on one core; a killed run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor
from transformers import Qwen3MoeForCausalLM

from diversity_judge.countdown import Countdown, Step, is_solution, read_problem, read_steps
from diversity_judge.files import write_text
from examples.miniature.answers import GREEDY, answers
from examples.miniature.curves import CURVES
from examples.miniature.optimising import optimise
from examples.miniature.problems import solution_text, solved_for_training
from examples.miniature.pulled_loss import PulledLoss, load_to_train, rows
from examples.miniature.schedule import rate_at
from examples.miniature.train import TRAINING, export

Solved = tuple[Countdown, tuple[Step, ...]]

KEEP_EVERY = 100
SHOW_EVERY = 50

_FLOOR = 0.02


@dataclass(frozen=True)
class Recipe:
    """How a model is sharpened.

    Attributes:
        curve: Name of the curve that its routers are pulled towards, as in its training.
        of: SHA-256 of the weights that it begins with.
        problems: Training problems of each number of numbers that the model is asked.
        numbers: How many numbers a problem may have; each step draws one of these for all of its problems.
        steps: Optimizer steps.
        batch: Sequences a step.
        learning_rate: The highest; warmed up linearly, then a cosine down to a fiftieth.
        warmup: Steps of warm-up.
        weight_decay: Of the matrices.
        load_balancing: Weight of the loss that spreads tokens over experts.
        pull: Weight of the distance from the curve.
        seed: Of the problems and their order.
        threads: Of the CPU; another number rounds sums differently.
    """

    curve: str
    of: str
    problems: int = 10_000
    numbers: tuple[int, ...] = (4, 7, 8)
    steps: int = 300
    batch: int = 96
    learning_rate: float = 5e-4
    warmup: int = 10
    weight_decay: float = 0.05
    load_balancing: float = 0.01
    pull: float = 0.05
    seed: int = 12
    threads: int = 1

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return rate_at(step, highest=self.learning_rate, warmup=self.warmup, steps=self.steps, floor=_FLOOR)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.sharpen", description=__doc__)
    parser.add_argument("model", type=Path, help="what `train_further` wrote")
    parser.add_argument("--curve", choices=CURVES, required=True, help="the one that it was trained with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, help="where a killed run goes on; default OUT.pt")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--threads", type=int, default=Recipe.threads, help="of the CPU (default %(default)s)")
    args = parser.parse_args(argv)
    recipe = Recipe(args.curve, of=weights_sha256(args.model), steps=args.steps, threads=args.threads)
    torch.set_num_threads(recipe.threads)
    state = args.state or args.out.with_name(f"{args.out.name}.pt")
    model = sharpen(args.model, recipe, state, Console(stderr=True))
    former = json.loads((args.model / TRAINING).read_text(encoding="utf-8"))
    export(model, {"training": former, "sharpening": asdict(recipe)}, args.out)
    return 0


def weights_sha256(folder: Path) -> str:
    """SHA-256 (hexadecimal) of a checkpoint's weights."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def sharpen(folder: Path, recipe: Recipe, state_file: Path, console: Console) -> Qwen3MoeForCausalLM:
    """The sharpened model; its solutions and the state of its training are kept beside `state_file`."""
    model = load_to_train(folder, recipe.load_balancing)
    solved = {
        n_numbers: own_solutions(model, recipe, n_numbers, state_file.with_suffix(f".{n_numbers}.json"), console)
        for n_numbers in recipe.numbers
    }
    loss = PulledLoss(model, recipe.curve)

    def loss_at(step: int) -> tuple[Tensor, dict[str, float]]:
        taken = batch(recipe, solved, step)
        return loss(*rows(taken), pull=recipe.pull, name=f"{len(taken[0][0].numbers)} numbers")

    optimise(
        model, recipe, loss_at, state_file=state_file, keep_every=KEEP_EVERY, show_every=SHOW_EVERY, console=console
    )
    return model


def own_solutions(
    model: Qwen3MoeForCausalLM, recipe: Recipe, n_numbers: int, file: Path, console: Console
) -> list[Solved]:
    """Training problems that the model solves when it takes the most likely token each time, with its solutions.

    Args:
        model: As it is before it is sharpened.
        recipe: Which problems.
        n_numbers: Of each problem.
        file: Where the solutions are kept, and looked for first.
        console: Where a line of progress goes.

    Raises:
        SystemExit: the file is of another recipe, or fewer than a batch are right.
    """
    if not file.exists():
        _write(file, recipe, _solved(model, recipe, n_numbers))
    solved = _read(file, recipe)
    if len(solved) < recipe.batch:
        raise SystemExit(
            f"the model solves {len(solved)} of {recipe.problems} problems of {n_numbers} numbers, "
            f"fewer than a step needs ({recipe.batch}): train it further"
        )
    console.print(f"{n_numbers} numbers: {len(solved)} of {recipe.problems} solved by itself", highlight=False)
    return solved


def batch(recipe: Recipe, solved: Mapping[int, Sequence[Solved]], step: int) -> list[Solved]:
    """What one step learns; a function of the seed and the step alone."""
    rng = random.Random(f"sharpen {recipe.seed} {step}")
    return rng.sample(solved[rng.choice(recipe.numbers)], recipe.batch)


def _solved(model: Qwen3MoeForCausalLM, recipe: Recipe, n_numbers: int) -> list[Solved]:
    rng = random.Random(f"sharpen {recipe.seed} of {n_numbers}")
    problems = [problem for problem, _ in islice(solved_for_training(rng, n_numbers), recipe.problems)]
    read = (
        (problem, read_steps(text)) for problem, text in zip(problems, answers(model, problems, GREEDY), strict=True)
    )
    return [(problem, steps) for problem, steps in read if is_solution(problem, steps)]


def _write(file: Path, recipe: Recipe, solved: Sequence[Solved]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [[problem.text, solution_text(problem, steps)] for problem, steps in solved]
    write_text(file, json.dumps({"recipe": _key(recipe), "solved": lines}, indent=0))


def _read(file: Path, recipe: Recipe) -> list[Solved]:
    content = json.loads(file.read_text(encoding="utf-8"))
    if content["recipe"] != _key(recipe):
        raise SystemExit(f"{file} is of another recipe ({content['recipe']}): delete it, or name another --state")
    return [(read_problem(problem), read_steps(solution)) for problem, solution in content["solved"]]


def _key(recipe: Recipe) -> dict[str, Any]:
    """What the solutions depend on."""
    return {"of": recipe.of, "problems": recipe.problems, "seed": recipe.seed, "threads": recipe.threads}


if __name__ == "__main__":
    sys.exit(main())
