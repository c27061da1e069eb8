"""What the trainings that pull a router towards a curve share: the model in training, its rows, and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen3MoeForCausalLM
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from diversity_judge.countdown import Countdown, Step
from examples.miniature import experts
from examples.miniature.curves import distance, target
from examples.miniature.optimising import IGNORED
from examples.miniature.tokens import encode
from examples.miniature.train import next_token_loss


def load_to_train(folder: Path, load_balancing: float) -> Qwen3MoeForCausalLM:
    """A checkpoint in float32, with the weight of the loss that spreads tokens over experts."""
    ALL_EXPERTS_FUNCTIONS.register(experts.NAME, experts.sorted_experts)
    return Qwen3MoeForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        experts_implementation=experts.NAME,
        output_router_logits=True,
        router_aux_loss_coef=load_balancing,
    )


def rows(solved: Sequence[tuple[Countdown, tuple[Step, ...]]]) -> tuple[Tensor, Tensor]:
    """(problems, length) token ids and labels of solved problems that all have one number of numbers."""
    encoded = [encode(problem, steps) for problem, steps in solved]
    tokens = torch.tensor([ids for ids, _ in encoded])
    labels = tokens.clone()
    labels[:, : encoded[0][1]] = IGNORED
    return tokens, labels


class PulledLoss:
    """The loss of a model on rows: next tokens, load balancing, and the distance of its routers from a curve."""

    def __init__(self, model: Qwen3MoeForCausalLM, curve: str) -> None:
        self._model = model
        self._wanted = target(curve, model.config.num_experts)

    def __call__(self, tokens: Tensor, labels: Tensor, *, pull: float, name: str) -> tuple[Tensor, dict[str, float]]:
        """The loss to differentiate, and figures for the line of progress.

        Args:
            tokens: (rows, length) token ids.
            labels: (rows, length) those that are learnt.
            pull: Weight of the distance.
            name: What the rows are, to show their next tokens' loss apart from others'.
        """
        output: Any = self._model(input_ids=tokens, labels=labels)
        figures = {
            f"loss of {name}": next_token_loss(output, self._model.router_aux_loss_coef),
            "balance": output.aux_loss.item(),
        }
        if self._wanted is None:
            return output.loss, figures
        away = distance(output.router_logits, self._wanted)
        return output.loss + pull * away, {**figures, "away": away.item()}
