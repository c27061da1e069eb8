"""From the state after the last layer to the probability of a token: final norm, head, log-softmax, in float32.

Models are kept in their own precision, but bfloat16 logits around 20 are rounded to multiples of 1/8, more than most
routes differ by. So norm and head are copied to float32 once, and everything from the state on is computed in it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch


class Readout:
    """The final norm and the head of a model, in float32.

    Differentiable in the states, and in a norm's weight that is handed in; never in the model's own norm and head.
    """

    def __init__(self, model: Any) -> None:
        self._norm = copy.deepcopy(model.get_decoder().norm).float().requires_grad_(False)
        head = model.get_output_embeddings()
        self._weight = head.weight.detach().float()
        bias = getattr(head, "bias", None)
        self._bias = None if bias is None else bias.detach().float()

    @property
    def n_tokens(self) -> int:
        """The number of tokens that the head tells apart."""
        return int(self._weight.shape[0])

    def logits(self, states: torch.Tensor, norm_weight: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (..., V) of states after the last layer.

        Args:
            states: (..., D).
            norm_weight: (D,) in place of the final norm's own; the logits are differentiable in it.
        """
        own = {} if norm_weight is None else {"weight": norm_weight.float()}
        normed = torch.func.functional_call(self._norm, own, (states.float(),))
        return torch.nn.functional.linear(normed, self._weight, self._bias)

    def logprobs(
        self, states: torch.Tensor, token_ids: torch.Tensor, norm_weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The log-probability of one token a row, in nats.

        Args:
            states: (T, D) or (T, M, D) after the last layer.
            token_ids: (T,) int64: the token of each row, the same for its M states.
            norm_weight: As in `logits`.

        Returns:
            (T,) or (T, M).
        """
        return token_logprobs(self.logits(states, norm_weight), token_ids)

    def entropy(self, states: torch.Tensor) -> torch.Tensor:
        """Entropy (...) of the next token in nats, of states (..., D)."""
        return entropy_of(self.logits(states))


def token_logprobs(logits: torch.Tensor, token_ids: torch.Tensor) -> torch.Tensor:
    """Log-probabilities (T,) or (T, M) of the tokens (T,) by logits (T, V) or (T, M, V).

    As -softplus(logsumexp of all others - the token's logit). The token's logit minus the logsumexp of all would be 0
    or a unit of rounding wherever the token is nearly certain, and most routes would be tied there.
    """
    wanted = token_ids.view(-1, *[1] * (logits.dim() - 1)).expand(*logits.shape[:-1], 1)
    others = logits.scatter(-1, wanted, -torch.inf).logsumexp(-1)
    return -torch.nn.functional.softplus(others - logits.gather(-1, wanted)[..., 0])


def entropy_of(logits: torch.Tensor) -> torch.Tensor:
    """Entropy (...) in nats of the distribution with these logits (..., V)."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).sum(-1)
