"""`python -m examples.miniature.train`: train the miniature from nothing and export it as a Hugging Face checkpoint.

    random problems with solutions -> steps of AdamW -> model.safetensors, tokenizer, log of the training

Takes about 40 minutes on two cores. A killed run continues from its last state; the seed decides the result.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from diversity_judge.files import write_text
from examples.miniature import experts
from examples.miniature.optimising import IGNORED, optimise
from examples.miniature.problems import draw_training
from examples.miniature.schedule import rate_at
from examples.miniature.shape import SHAPE
from examples.miniature.tokens import BOS, EOS, PAD, TOKEN_ID, VOCABULARY, encode, write_tokenizer

TRAINING = "training.json"
"""The file beside the weights that says how they came about."""

KEEP_EVERY = 500
"""Steps between two states on disk: a killed run loses a few minutes."""

SHOW_EVERY = 100
"""Steps between two lines of progress."""

_FLOOR = 0.01


@dataclass(frozen=True)
class Recipe:
    """How the miniature is trained.

    Attributes:
        steps: Optimizer steps.
        batch: Sequences a step.
        learning_rate: The highest; warmed up linearly, then a cosine down to a hundredth.
        warmup: Steps of warm-up.
        weight_decay: Of the matrices.
        load_balancing: Weight of the loss that spreads tokens over experts (Switch Transformer, eq. 4).
        seed: Of weights and problems.
        threads: Of the CPU; another number rounds sums differently, which makes another model of the same quality.
    """

    steps: int = 3400
    batch: int = 128
    learning_rate: float = 3e-3
    warmup: int = 200
    weight_decay: float = 0.05
    load_balancing: float = 0.01
    seed: int = 0
    threads: int = 2

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return rate_at(step, highest=self.learning_rate, warmup=self.warmup, steps=self.steps, floor=_FLOOR)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.miniature.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("examples/miniature/model"), help="default %(default)s")
    parser.add_argument("--state", type=Path, default=Path("results/miniature-training/state.pt"))
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--threads", type=int, default=Recipe.threads, help="of the CPU (default %(default)s)")
    args = parser.parse_args(argv)
    recipe = Recipe(steps=args.steps, seed=args.seed, threads=args.threads)
    torch.set_num_threads(recipe.threads)
    model = train(recipe, args.state, Console(stderr=True))
    export(model, asdict(recipe), args.out)
    return 0


def make_model(recipe: Recipe) -> Qwen3MoeForCausalLM:
    """The untrained model."""
    ALL_EXPERTS_FUNCTIONS.register(experts.NAME, experts.sorted_experts)
    config = Qwen3MoeConfig(
        **SHAPE,
        vocab_size=len(VOCABULARY),
        max_position_embeddings=128,
        tie_word_embeddings=True,
        output_router_logits=True,
        router_aux_loss_coef=recipe.load_balancing,
        bos_token_id=TOKEN_ID[BOS],
        eos_token_id=TOKEN_ID[EOS],
        pad_token_id=TOKEN_ID[PAD],
    )
    torch.manual_seed(recipe.seed)
    return Qwen3MoeForCausalLM._from_config(config, experts_implementation=experts.NAME)


def train(recipe: Recipe, state_file: Path, console: Console) -> Qwen3MoeForCausalLM:
    """Train, keeping the state in a file every few minutes."""
    model = make_model(recipe)

    def loss_at(step: int) -> tuple[Tensor, dict[str, float]]:
        tokens, labels = batch(recipe, step)
        output = model(input_ids=tokens, attention_mask=(tokens != TOKEN_ID[PAD]).long(), labels=labels)
        return output.loss, {"loss": next_token_loss(output, recipe.load_balancing), "balance": output.aux_loss.item()}

    optimise(
        model,
        recipe,
        loss_at,
        state_file=state_file,
        keep_every=KEEP_EVERY,
        show_every=SHOW_EVERY,
        console=console,
    )
    return model


def next_token_loss(output: Any, load_balancing: float) -> float:
    """What the next tokens alone cost, in nats a token: the loss without the load balancing that it contains."""
    return float(output.loss.item() - load_balancing * output.aux_loss.item())


def batch(recipe: Recipe, step: int) -> tuple[Tensor, Tensor]:
    """(sequences, longest) token ids and labels of one step; a function of the seed and the step alone."""
    rng = random.Random(f"{recipe.seed} {step}")
    rows = [encode(*draw_training(rng)) for _ in range(recipe.batch)]
    longest = max(len(ids) for ids, _ in rows)
    tokens = torch.full((recipe.batch, longest), TOKEN_ID[PAD])
    labels = torch.full((recipe.batch, longest), IGNORED)
    for number, (ids, n_prompt) in enumerate(rows):
        row = torch.tensor(ids)
        tokens[number, : len(ids)] = row
        labels[number, n_prompt : len(ids)] = row[n_prompt:]
    return tokens, labels


def export(model: Qwen3MoeForCausalLM, training: Mapping[str, Any], folder: Path) -> None:
    """Write a checkpoint in bfloat16 with its tokenizer, for vLLM and transformers, and how it was trained.

    Args:
        model: Is rounded in place.
        training: What `training.json` is to say; a folder that has this file is whole.
        folder: A former checkpoint in it is replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRAINING).unlink(missing_ok=True)
    model.config.output_router_logits = False
    model.to(torch.bfloat16).save_pretrained(folder)
    write_tokenizer(folder)
    write_text(folder / TRAINING, json.dumps(training, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
