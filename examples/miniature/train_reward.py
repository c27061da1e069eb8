"""`python -m examples.miniature.train_reward`: train the miniature's process reward model from nothing.

    training problems -> attempts with slips -> a label a step -> AdamW -> weights, tokenizer, log of the training

Takes a few minutes on two cores; the seed decides the result. With `--check responses.jsonl` nothing is trained: the
written model is held against responses to held-out problems, and how it errs is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from diversity_judge.inputs.reading import read_responses
from diversity_judge.inputs.responses import Response
from diversity_judge.measures.verification import STEP_REWARDS
from examples.miniature.reward_errors import Errors, errors_of
from examples.miniature.reward_model_files import (
    MARK_ID,
    RewardModel,
    load_reward_model,
    make_reward_model,
    marked_ids,
    step_rewards,
    write_reward_model,
)
from examples.miniature.schedule import rate_at
from examples.miniature.step_labels import attempt, labels
from examples.miniature.tokens import ASK, PAD, TOKEN_ID

FOLDER = Path(__file__).parent / "reward_model"
IGNORED = -100
"""Label of a token that is no mark."""

_FLOOR = 0.01


@dataclass(frozen=True)
class Recipe:
    """How the reward model is trained.

    Attributes:
        steps: Optimizer steps.
        batch: Attempts a step.
        learning_rate: The highest; warmed up linearly, then a cosine down to a hundredth.
        warmup: Steps of warm-up.
        weight_decay: Of all weights.
        next_token: Weight of a second loss, to predict the next token of true steps: a label a step alone would teach
            sums and products slowly.
        seed: Of weights and attempts.
        threads: Of the CPU; another number rounds sums differently.
    """

    steps: int = 1600
    batch: int = 64
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.05
    next_token: float = 1.0
    seed: int = 0
    threads: int = 1

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return rate_at(step, highest=self.learning_rate, warmup=self.warmup, steps=self.steps, floor=_FLOOR)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.train_reward", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="default %(default)s")
    parser.add_argument("--check", type=Path, help="responses to held-out problems; nothing is trained")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--threads", type=int, default=Recipe.threads, help="of the CPU (default %(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    if args.check:
        print(json.dumps(asdict(_errors(args.out, args.check)), indent=1))  # noqa: T201
        return 0
    recipe = Recipe(steps=args.steps, seed=args.seed, threads=args.threads)
    write_reward_model(train(recipe, Console(stderr=True)), args.out)
    (args.out / "training.json").write_text(json.dumps(asdict(recipe), indent=1) + "\n", encoding="utf-8")
    return 0


def _errors(folder: Path, file: Path) -> Errors:
    responses = (response for group in read_responses(file).groups for response in group.responses)
    return errors_of(with_step_rewards(load_reward_model(folder), responses))


def train(recipe: Recipe, console: Console) -> RewardModel:
    """The trained model."""
    model = make_reward_model(recipe.seed)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True)
    began, losses = time.monotonic(), []
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        tokens, wanted, following = batch(recipe, step)
        states = model.states(tokens)
        loss = _cross_entropy(model.score(states), wanted)
        (loss + recipe.next_token * _cross_entropy(model.next_token(states), following)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            minutes = (time.monotonic() - began) / 60
            mean = sum(losses[-100:]) / 100
            console.print(f"step {step + 1}/{recipe.steps}  loss {mean:.4f}  {minutes:.1f} min", highlight=False)
    model.eval()
    return model


def _cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)


def batch(recipe: Recipe, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """(sequences, longest) token ids, labels at the marks, and the next tokens of steps that are true.

    A function of the seed and the step alone.
    """
    rng = random.Random(f"reward {recipe.seed} {step}")
    rows: list[tuple[list[int], list[bool], list[bool]]] = []
    while len(rows) < recipe.batch:
        problem, steps = attempt(rng)
        if steps:
            rows.append((marked_ids(problem, steps), labels(problem, steps), [step.is_true for step in steps]))
    longest = max(len(ids) for ids, _, _ in rows)
    tokens = torch.full((recipe.batch, longest), TOKEN_ID[PAD])
    wanted, following = tokens.new_full(tokens.shape, IGNORED), tokens.new_full(tokens.shape, IGNORED)
    for number, (ids, good, true) in enumerate(rows):
        row = torch.tensor(ids)
        marks = (row == MARK_ID).nonzero().flatten().tolist()
        tokens[number, : len(ids)] = row
        wanted[number, marks] = torch.tensor(good).long()
        for start, end, is_true in zip([ids.index(TOKEN_ID[ASK]), *marks], marks, true, strict=False):
            if is_true:
                following[number, start:end] = row[start + 1 : end + 1]
    return tokens, wanted, following


def with_step_rewards(model: RewardModel, responses: Iterable[Response]) -> Iterator[Response]:
    """The responses, each with the rewards of its steps."""
    for response in responses:
        found = step_rewards(model, response.problem or "", response.text)
        yield replace(response, meta={**response.meta, STEP_REWARDS: found})


if __name__ == "__main__":
    sys.exit(main())
