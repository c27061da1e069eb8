"""`python -m examples.miniature.train`: train the miniature from nothing and export it as a Hugging Face checkpoint.

    random problems with solutions -> steps of AdamW -> model.safetensors, tokenizer, log of the training

Takes about 40 minutes on two cores. A killed run continues from its last state; the seed decides the result.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from examples.miniature import experts
from examples.miniature.problems import draw_training
from examples.miniature.tokens import BOS, EOS, PAD, TOKEN_ID, VOCABULARY, encode, write_tokenizer

KEEP_EVERY = 500
"""Steps between two states on disk: a killed run loses a few minutes."""

IGNORED = -100
"""Label of a token that the loss leaves out: the prompt and the padding."""

SHAPE: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 128,
    "moe_intermediate_size": 16,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "num_experts": 64,
    "num_experts_per_tok": 8,
    "norm_topk_prob": True,
}


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
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


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
    export(model, recipe, args.out)
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
    optimizer = torch.optim.AdamW(_parameter_groups(model, recipe), betas=(0.9, 0.98), fused=True)
    first = _resume(model, optimizer, recipe, state_file)
    began, losses = time.monotonic(), []
    for step in range(first, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        tokens, labels = batch(recipe, step)
        output = model(input_ids=tokens, attention_mask=(tokens != TOKEN_ID[PAD]).long(), labels=labels)
        output.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(output.loss.item() - recipe.load_balancing * output.aux_loss.item())
        if (step + 1) % 100 == 0:
            minutes = (time.monotonic() - began) / 60
            left = minutes / (step + 1 - first) * (recipe.steps - step - 1)
            mean = sum(losses[-100:]) / len(losses[-100:])
            console.print(
                f"step {step + 1}/{recipe.steps}  loss {mean:.4f}  balance {output.aux_loss.item():.3f}  "
                f"{minutes:.1f} min, {left:.0f} min left",
                highlight=False,
            )
        if (step + 1) % KEEP_EVERY == 0 or step + 1 == recipe.steps:
            _keep(model, optimizer, recipe, step + 1, state_file)
    return model


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


def export(model: Qwen3MoeForCausalLM, recipe: Recipe, folder: Path) -> None:
    """Write a checkpoint in bfloat16 with its tokenizer, for vLLM and transformers, and how it was trained."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.output_router_logits = False
    model.to(torch.bfloat16).save_pretrained(folder)
    write_tokenizer(folder)
    (folder / "training.json").write_text(json.dumps(asdict(recipe), indent=1) + "\n", encoding="utf-8")


def _parameter_groups(model: torch.nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    scales = [weight for weight in model.parameters() if weight.ndim == 1]
    return [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": scales, "weight_decay": 0.0}]


def _keep(model: torch.nn.Module, optimizer: Any, recipe: Recipe, step: int, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new")
    state = {"recipe": asdict(recipe), "shape": SHAPE, "step": step}
    torch.save({**state, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, unfinished)
    unfinished.replace(file)


def _resume(model: torch.nn.Module, optimizer: Any, recipe: Recipe, file: Path) -> int:
    """Load what a killed run of the same recipe kept; returns the step to go on with."""
    if not file.exists():
        return 0
    state = torch.load(file)
    if state["recipe"] != asdict(recipe) or state["shape"] != SHAPE:
        raise SystemExit(f"{file} is of another recipe ({state['recipe']}): delete it, or name another --state")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


if __name__ == "__main__":
    sys.exit(main())
