"""Would the same token have been drawn? The noise of a draw that is already made, used again for other logits.

A draw from logits is the greatest of logits + Gumbel noise (Gumbel-max). Given which token was drawn, the noise has a
posterior: the greatest sum is a Gumbel variable at the log-sum-exp of the logits and belongs to the drawn token, the
other sums are Gumbel variables cut off below it (Maddison, Tarlow and Minka 2014, arXiv 1411.0030). Such noise on other
logits says what would have been drawn in their place, all luck being equal (Oberst and Sontag 2019, arXiv 1905.05824):
a token that gains on every other token stays drawn.
"""

from __future__ import annotations

import torch


def noise_of(logits: torch.Tensor, drawn: int, generator: torch.Generator) -> torch.Tensor:
    """Gumbel noise (V,) with which exactly this token is the greatest of logits + noise.

    Args:
        logits: (V,), -inf for tokens that cannot be drawn: their noise is free.
        drawn: The token that was drawn; its logit is finite.
        generator: Of random numbers.

    Raises:
        ValueError: that token cannot be drawn.
    """
    if not torch.isfinite(logits[drawn]):
        raise ValueError(f"token {drawn} cannot be drawn from these logits")
    free = gumbel(len(logits), generator)
    greatest = logits.logsumexp(-1) + gumbel(1, generator)[0]
    # -log(exp(-greatest) + exp(-sum)): a Gumbel variable cut off at the greatest.
    sums = -torch.logaddexp(-greatest.expand_as(logits), -(logits + free))
    noise = torch.where(torch.isfinite(logits), sums - logits, free)
    noise[drawn] = greatest - logits[drawn]
    return noise


def gumbel(n: int, generator: torch.Generator) -> torch.Tensor:
    """Noise (n,) of the standard Gumbel distribution, float32."""
    exponential = torch.empty(n).exponential_(generator=generator).clamp_min_(1e-38)
    return -exponential.log()
