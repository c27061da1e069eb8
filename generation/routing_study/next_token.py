"""The distribution that a strategy draws the next token from, and its entropy.

In vLLM's order: temperature (EDT's own, where a strategy has it), min-p, top-k, top-p. Penalties are left out: they
depend on the tokens before.
"""

from __future__ import annotations

import torch

from generation.edt_settings import EDTSettings
from generation.strategies import TokenSampling

LEAST_TEMPERATURE = 0.01
"""What vLLM makes of a temperature between 0 and this one."""


def drawable(logits: torch.Tensor, sampling: TokenSampling) -> torch.Tensor:
    """Logits (..., V) as a strategy draws from them: tempered, and -inf where min-p, top-k or top-p leave a token out.

    Tokens that tie with the last of top-k all stay, as in vLLM.

    Raises:
        ValueError: the strategy is greedy: it draws nothing.
    """
    if sampling.temperature <= 0:
        raise ValueError("a greedy strategy draws nothing")
    logits = logits.float() / max(sampling.temperature, LEAST_TEMPERATURE)
    if sampling.min_p:
        probabilities = logits.softmax(-1)
        least = sampling.min_p * probabilities.amax(-1, keepdim=True)
        logits = logits.masked_fill(probabilities < least, -torch.inf)
    if 0 < sampling.top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(sampling.top_k).values[..., -1:], -torch.inf)
    if sampling.top_p < 1:
        ordered, places = logits.softmax(-1).sort(descending=True)
        left_out = ordered.cumsum(-1) - ordered >= sampling.top_p
        logits = logits.masked_fill(torch.zeros_like(left_out).scatter(-1, places, left_out), -torch.inf)
    return logits


def entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy (...) in nats of softmax(logits), (..., V) of which some may be -inf."""
    return torch.special.entr(logits.float().softmax(-1)).sum(-1)


def next_token_entropy(logits: torch.Tensor, sampling: TokenSampling, edt: EDTSettings | None = None) -> torch.Tensor:
    """Entropy in nats of the next token as it is drawn; 0 by definition where it is the most probable one.

    Args:
        logits: (rows, V) as the model gives them.
        sampling: Temperature and cuts; its penalties are not applied.
        edt: Settings of the entropy-based temperature, which needs vLLM installed; None without it.

    Returns:
        (rows,) float32.
    """
    if sampling.temperature == 0:
        return torch.zeros(len(logits), device=logits.device)
    return entropy(drawable(logits if edt is None else _by_edt(logits.float(), edt), sampling))


def _by_edt(logits: torch.Tensor, edt: EDTSettings) -> torch.Tensor:
    from generation.edt import edt_temperature  # with vLLM, whose plugin it belongs to

    settings = (torch.full((len(logits), 1), value, device=logits.device) for value in (edt.t0, edt.theta, edt.n))
    return logits / edt_temperature(logits, *settings)
